package overload

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

var (
	heavy  = flag.Bool("heavy", false, "load servers for minutes; needs root for control groups")
	binary = flag.String("binary", "", "the varved to ask; built when empty")
)

// server is a varved in a control group.
type server struct {
	*harness.Process
	t      *testing.T
	client *http.Client
}

// skipUnless skips a test that was not asked for, or cannot be run here.
func skipUnless(t *testing.T, asked bool) {
	t.Helper()
	switch {
	case !asked:
		t.Skip("takes minutes: make overload runs it, make small the one on a small machine")
	case os.Geteuid() != 0:
		t.Skip("needs root for a control group")
	}
}

// start gives a server with so much memory and so much of the processors, 0 for
// all.
func start(t *testing.T, memory string, cpus float64, flags ...string) *server {
	t.Helper()
	file := *binary
	if file == "" {
		file = harness.Build(t)
	}
	group, err := harness.NewCgroup(memory)
	if err != nil {
		t.Skipf("no control group: %v", err)
	}
	t.Cleanup(group.Remove)
	if err := group.NoSwap(memory); err != nil {
		t.Skipf("no control group: %v", err)
	}
	p, err := harness.Start(file, t.TempDir(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("%v\n%s", err, p.Log())
		}
	})
	if cpus > 0 {
		if err := group.SetCPUs(cpus); err != nil {
			t.Skipf("no control group: %v", err)
		}
	}
	if err := group.Add(p.PID()); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 4096, MaxConnsPerHost: 0}
	t.Cleanup(transport.CloseIdleConnections)
	return &server{p, t, &http.Client{Transport: transport, Timeout: clientTimeout}}
}

// clientTimeout is Telegraf's.
const clientTimeout = 5 * time.Second

// create makes databases.
func (s *server) create(names ...string) {
	s.t.Helper()
	for _, name := range names {
		if _, err := s.Query("", "CREATE DATABASE "+name); err != nil {
			s.t.Fatal(err)
		}
	}
}

// usage gives what the server has used.
func (s *server) usage() harness.Usage {
	s.t.Helper()
	u, err := harness.ReadUsage(s.PID())
	if err != nil {
		s.t.Fatalf("the server has ended: %v\n%s", err, s.Log())
	}
	return u
}

// answer is what became of a request.
type answer struct {
	status int // 0: none came in time
	after  time.Duration
	text   string
	retry  string // Retry-After
}

// post sends a body.
func (s *server) post(path, contentType, encoding string, body []byte) answer {
	start := time.Now()
	req, err := http.NewRequest(http.MethodPost, s.URL+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{after: time.Since(start), text: err.Error()}
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return answer{resp.StatusCode, time.Since(start), string(b), resp.Header.Get("Retry-After")}
}

// points gives a line of ten fields for each of n series. It says no time: the
// same body is new points whenever it is sent.
func points(n int) []byte {
	b := make([]byte, 0, n*200)
	for i := range n {
		b = fmt.Appendf(b, "cpu,host=host-%d,region=eu-west ", i)
		for f := range 10 {
			if f > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, "usage_%d=%.1f", f, float64((i*7+f*13)%1000)/10)
		}
		b = append(b, '\n')
	}
	return b
}

// quantile gives a quantile of times, which it sorts.
func quantile(q float64, times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, int(q*float64(len(times))))]
}
