package lineprotocol

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestAnswersAreInfluxDBs holds Parse against what InfluxDB 1.8.10 answered,
// with an empty memo and with one that knows the body.
func TestAnswersAreInfluxDBs(t *testing.T) {
	recorded, err := os.ReadFile("testdata/influxdb-1.8.10.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(recorded)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(parts) != 3 {
			t.Fatalf("line %q has %d parts", line, len(parts))
		}
		precision, err := ParsePrecision(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		body, err := strconv.Unquote(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		want, err := strconv.Unquote(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		p := testParser(nil)
		for _, memo := range []string{"an empty", "a warm"} {
			got := parse(t, p, []byte(body), Options{Precision: precision, Now: testNow}).String()
			if got != want {
				t.Errorf("parse %q in %s with %s memo:\ngot  %s\nwant %s", body, parts[0], memo, got, want)
			}
		}
		cases++
	}
	t.Logf("%d bodies", cases)
}

// TestLinesThatInfluxDBCannotStoreAreRefused has the lines that InfluxDB 1.8.10
// takes and then panics on, fails the request with, or stores without a name.
func TestLinesThatInfluxDBCannotStoreAreRefused(t *testing.T) {
	for body, want := range map[string]string{
		"0 \\\\=\"=\"":        unbalancedQuotes.Error(),
		"m \\0=\",\"=3,\"=\"": unbalancedQuotes.Error(),
		"m \t=1":              missingFieldKey.Error(),
	} {
		p := testParser(nil)
		got := parse(t, p, []byte(body), Options{Now: testNow})
		if len(got.Rows) > 0 || !strings.HasPrefix(got.Err, "unable to parse '"+body+"': ") || !strings.HasSuffix(got.Err, want) {
			t.Errorf("parse %q: got %v, want it refused with %q", body, got, want)
		}
	}
}
