package main

import (
	"encoding/json"
	"flag"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

var influxd = flag.String("influxd", "", "an InfluxDB 1.8.10, to compare with what it answers now")

// corpusModule has the inputs that parsers of line protocol are tested with. It
// describes the grammar of version 2: what counts is what 1.8.10 makes of them.
const corpusModule = "github.com/influxdata/line-protocol-corpus@v0.0.0-20210922080147-aa28ccfb8937"

// TestRowLimitAnswersAsInfluxDB compares two servers with max-row-limit = 5.
func TestRowLimitAnswersAsInfluxDB(t *testing.T) {
	compareLive(t, config{suite: "limits"}, []string{"max-row-limit = 5"}, "--max-row-limit", "5")
}

// TestCorpusAnswersAsInfluxDB writes every input of the corpus to both, and looks
// at what they have stored. allow-corpus.txt explains each difference.
func TestCorpusAnswersAsInfluxDB(t *testing.T) {
	if *influxd == "" {
		t.Skip("needs an InfluxDB 1.8.10: make compat, or -args -influxd FILE")
	}
	out, err := exec.Command("go", "mod", "download", "-json", corpusModule).Output()
	if err != nil {
		t.Skipf("the corpus cannot be had: %v", err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	corpus := filepath.Join(module.Dir, "corpus.json")
	varved := compareLive(t, config{suite: "corpus", corpus: corpus, noData: true, allow: "allow-corpus.txt", skip: "corpus-skip.txt"}, nil)
	// Those that end InfluxDB must not end varved.
	cases, err := corpusCases(corpus)
	if err != nil {
		t.Fatal(err)
	}
	skipped, err := readTexts("corpus-skip.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, k := range cases {
		if !skipped[k.Text] {
			continue
		}
		n++
		r, err := http.Post(varved.URL+k.Path, "text/plain", strings.NewReader(k.Body))
		if err != nil {
			t.Fatalf("%s: %v", k.Text, err)
		}
		r.Body.Close()
		if r.StatusCode/100 != 2 && r.StatusCode/100 != 4 {
			t.Errorf("%s: %s", k.Text, r.Status)
		}
	}
	if n != len(skipped) {
		t.Errorf("%d of %d inputs of corpus-skip.txt are in the corpus", n, len(skipped))
	}
}

// compareLive sends the cases of c to an InfluxDB and to a varved of their own.
func compareLive(t *testing.T, c config, influxHTTP []string, args ...string) *harness.Process {
	t.Helper()
	if *influxd == "" {
		t.Skip("needs an InfluxDB 1.8.10: make compat, or -args -influxd FILE")
	}
	started := func(p *harness.Process, err error) *harness.Process {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		})
		return p
	}
	a := started(harness.StartInfluxDB(*influxd, t.TempDir(), influxHTTP...))
	b := started(harness.Start(harness.Build(t), t.TempDir(), args...))
	c.a, c.b, c.tol, c.timeout, c.maxShow = a.URL, b.URL, 1e-9, 30*time.Second, 3
	if code := run(c); code != 0 {
		t.Errorf("influxdiff ended with %d: see the differences above", code)
	}
	return b
}
