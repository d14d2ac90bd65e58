package overload

import (
	"bytes"
	"flag"
	"fmt"
	"testing"
	"time"
)

var small = flag.Bool("small", false, "run a server in 256 MB; needs root for a control group")

const (
	smallSeries = 10_000
	smallRounds = 30 // of a row for each series
	smallMost   = 150 << 20
)

// TestASmallMachineHoldsTenThousandSeries has a server of 256 MB written to and
// asked, as one of a small office is.
func TestASmallMachineHoldsTenThousandSeries(t *testing.T) {
	skipUnless(t, *small || *heavy)
	s := start(t, "256m", 0, "--memory-limit", "153m") // three fifths: what it takes by itself of such a machine
	s.create("db")
	begin := time.Now().Add(-smallRounds * 10 * time.Second)
	for round := range smallRounds {
		var b bytes.Buffer
		for i := range smallSeries {
			fmt.Fprintf(&b, "cpu,host=host-%d,core=%d,region=eu user=%d.%d,system=%d,idle=%d.5 %d\n",
				i/10, i%10, i%100, round%10, round, 100-i%100, begin.Add(time.Duration(round)*10*time.Second).UnixNano())
		}
		for a := s.post("/write?db=db", "text/plain", "", b.Bytes()); a.status != 204; a = s.post("/write?db=db", "text/plain", "", b.Bytes()) {
			if a.status != 503 {
				t.Fatalf("round %d: %d %s", round, a.status, a.text)
			}
			time.Sleep(time.Second)
		}
	}
	written := s.usage().Memory
	for _, q := range []string{
		"SHOW TAG VALUES WITH KEY = host LIMIT 20",
		"SELECT mean(\"user\") FROM cpu WHERE time > now() - 1h GROUP BY time(1m)",
		"SELECT max(idle) FROM cpu WHERE time > now() - 1h GROUP BY host",
		"SELECT count(system) FROM cpu",
		"SELECT * FROM cpu WHERE host = 'host-7' ORDER BY time DESC LIMIT 100",
	} {
		if rows, err := s.Query("db", q); err != nil || len(rows) == 0 {
			t.Errorf("%s: %d rows, %v", q, len(rows), err)
		}
	}
	asked := s.usage()
	t.Logf("%d series: %d MB resident after %d rows, %d MB after queries, at most %d MB", smallSeries, written>>20, smallSeries*smallRounds, asked.Memory>>20, asked.PeakMemory>>20)
	if asked.Memory > smallMost {
		t.Errorf("resident are %d MB, of which %d MB are no files; %d MB may be", asked.Memory>>20, asked.Anonymous>>20, smallMost>>20)
	}
}
