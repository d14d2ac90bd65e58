package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

var (
	influxd = flag.String("influxd", "", "an InfluxDB 1.8.10, to compare with what it answers now")
	seeds   = flag.Int("seeds", 1, "how many seeds of generated queries to compare with it")
)

// generated is how many queries there are of a seed.
const generated = 2000

// corpusModule has the inputs that parsers of line protocol are tested with. It
// describes the grammar of version 2: what counts is what 1.8.10 makes of them.
const corpusModule = "github.com/influxdata/line-protocol-corpus@v0.0.0-20210922080147-aa28ccfb8937"

// TestGeneratedAnswersAsInfluxDB sends generated queries to an InfluxDB and to one
// node, and those of the first seed again after a restart and after all is
// compacted.
func TestGeneratedAnswersAsInfluxDB(t *testing.T) {
	a := liveInfluxDB(t)
	dir, binary := t.TempDir(), harness.Build(t)
	b := started(t)(harness.Start(binary, dir))
	for seed := 1; seed <= *seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			compareGenerated(t, config{seed: int64(seed)}, a, b)
		})
	}
	t.Run("after a restart", func(t *testing.T) {
		if err := b.Stop(); err != nil {
			t.Fatal(err)
		}
		restarted, err := harness.Start(binary, dir)
		if err != nil {
			t.Fatal(err)
		}
		*b = *restarted
		compareGenerated(t, config{seed: int64(*seeds), noData: true}, a, b)
	})
	t.Run("compacted", func(t *testing.T) {
		out, err := exec.Command("go", "run", "github.com/varvedb/varve/cmd/varve", "ctl", "--host", b.URL, "compact", "--wait").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		compareGenerated(t, config{seed: int64(*seeds), noData: true}, a, b)
	})
}

// TestClusterAnswersGeneratedAsInfluxDB sends generated queries to an InfluxDB and
// to three nodes in turn, with two copies of each shard.
func TestClusterAnswersGeneratedAsInfluxDB(t *testing.T) {
	a := liveInfluxDB(t)
	cluster := harness.NewCluster(t, harness.Build(t))
	cluster.Start(3, "--default-replication", "2")
	var servers []*harness.Process
	for _, n := range cluster.Nodes {
		servers = append(servers, n.Process)
	}
	for seed := 1; seed <= *seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			compareGenerated(t, config{seed: int64(seed), ties: true, settle: time.Second}, a, servers...)
		})
	}
}

func compareGenerated(t *testing.T, c config, a *harness.Process, b ...*harness.Process) {
	t.Helper()
	var urls []string
	for _, s := range b {
		urls = append(urls, s.URL)
	}
	c.a, c.b = a.URL, strings.Join(urls, ",")
	c.suite, c.gen, c.tol, c.timeout, c.maxShow = "gen", generated, 1e-9, 30*time.Second, 3
	if code := run(c); code != 0 {
		t.Errorf("influxdiff ended with %d: see the differences above", code)
	}
}

// TestRowLimitAnswersAsInfluxDB compares two servers with max-row-limit = 5.
func TestRowLimitAnswersAsInfluxDB(t *testing.T) {
	compareLive(t, config{suite: "limits"}, []string{"max-row-limit = 5"}, "--max-row-limit", "5")
}

// TestAuthenticationAnswersAsInfluxDB compares two servers that ask who sends a
// request, and have no user yet.
func TestAuthenticationAnswersAsInfluxDB(t *testing.T) {
	compareLive(t, config{suite: "auth", noData: true, allow: "allow-auth.txt"}, []string{"auth-enabled = true"}, "--http-auth-enabled", "true")
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
	a := liveInfluxDB(t, influxHTTP...)
	b := started(t)(harness.Start(harness.Build(t), t.TempDir(), args...))
	c.a, c.b, c.tol, c.timeout, c.maxShow = a.URL, b.URL, 1e-9, 30*time.Second, 3
	if code := run(c); code != 0 {
		t.Errorf("influxdiff ended with %d: see the differences above", code)
	}
	return b
}

// liveInfluxDB gives a running InfluxDB, and skips t where there is none.
func liveInfluxDB(t *testing.T, http ...string) *harness.Process {
	t.Helper()
	if *influxd == "" {
		t.Skip("needs an InfluxDB 1.8.10: make compat, or -args -influxd FILE")
	}
	return started(t)(harness.StartInfluxDB(*influxd, t.TempDir(), http...))
}

// started gives a server that is stopped when t ends.
func started(t *testing.T) func(*harness.Process, error) *harness.Process {
	return func(p *harness.Process, err error) *harness.Process {
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
}
