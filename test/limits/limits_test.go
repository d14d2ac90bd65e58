package limits

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

var (
	heavy  = flag.Bool("heavy", false, "write a million series and ask for all of them; needs root for a control group")
	binary = flag.String("binary", "", "the varved to ask; built when empty")
	series = flag.Int("series", 1_000_000, "how many series the largest measurement has")
)

const (
	cgroup      = "1g"
	memoryLimit = "600m" // what varved takes by itself of a machine of that size

	hosts        = 20
	measurements = 1_000
	atOnce       = 50
)

// TestLittleMemoryIsEnoughForAnyQuery runs in a control group of 1 GB.
func TestLittleMemoryIsEnoughForAnyQuery(t *testing.T) {
	switch {
	case !*heavy:
		t.Skip("takes minutes: make query-limits runs it")
	case os.Geteuid() != 0:
		t.Skip("needs root for a control group with a memory limit")
	}
	s := start(t)
	s.load()
	writes := s.writeOn()

	// Each alone, and then all together.
	for _, q := range s.queries() {
		cpu := s.cpu()
		a := s.ask(t.Context(), q.text)
		cpu = s.cpu() - cpu
		t.Logf("%-72s %s, %v of CPU", q.text, a, cpu.Round(time.Millisecond))
		switch {
		case a.failed != nil:
			t.Errorf("%s: %v", q.text, a.failed)
		case q.first > 0 && a.first > q.first && cpu > q.first: // less: the machine has other work
			t.Errorf("%s: the first row came after %v and %v of CPU, not in %v", q.text, a.first, cpu, q.first)
		}
	}
	s.kill()
	var wg sync.WaitGroup
	var answered, limited atomic.Int64
	began := time.Now()
	for i := range atOnce {
		q := s.queries()[i%len(s.queries())]
		wg.Go(func() {
			switch a := s.ask(t.Context(), q.text); {
			case a.failed != nil:
				t.Errorf("one of %d at once: %s: %v", atOnce, q.text, a.failed)
			case a.limit != "":
				limited.Add(1)
			default:
				answered.Add(1)
			}
		})
	}
	wg.Wait()
	t.Logf("%d at once: %d answered, %d refused by a limit, in %v", atOnce, answered.Load(), limited.Load(), time.Since(began).Round(time.Millisecond))
	if answered.Load() == 0 {
		t.Error("none of those at once was answered")
	}
	writes.stop()
	usage, err := harness.ReadUsage(s.PID())
	if err != nil {
		t.Fatalf("the server has ended: %v", err)
	}
	t.Logf("most memory at a time: %d MB", usage.PeakMemory>>20)
	if rows, err := s.Query("limits", "SELECT count(v) FROM year"); err != nil || len(rows) != 1 {
		t.Errorf("afterwards: %v, %v", rows, err)
	}
}

// server is a varved with little memory.
type server struct {
	*harness.Process
	t *testing.T
}

func start(t *testing.T) *server {
	t.Helper()
	file := *binary
	if file == "" {
		file = harness.Build(t)
	}
	group, err := harness.NewCgroup(cgroup)
	if err != nil {
		t.Skipf("no control group: %v", err)
	}
	t.Cleanup(group.Remove)
	p, err := harness.Start(file, t.TempDir(), "--memory-limit", memoryLimit, "--max-series-per-database", "0", "--max-values-per-tag", "0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("%v\n%s", err, p.Log())
		}
	})
	if err := group.Add(p.PID()); err != nil {
		t.Fatal(err)
	}
	return &server{p, t}
}

// cpu gives what the server has used of it.
func (s *server) cpu() time.Duration {
	u, err := harness.ReadUsage(s.PID())
	if err != nil {
		s.t.Fatalf("the server has ended: %v\n%s", err, s.Log())
	}
	return u.CPU
}

// begin is when the points begin; a year of them lies in 52 shards.
var begin = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// load writes what is asked for: a measurement of a million series, one with a
// year of points, and a thousand of a few.
func (s *server) load() {
	began := time.Now()
	if _, err := s.Query("", "CREATE DATABASE limits"); err != nil {
		s.t.Fatal(err)
	}
	var b bytes.Buffer
	flush := func(least int) {
		if b.Len() < least {
			return
		}
		s.must(b.String())
		b.Reset()
	}
	for i := range *series {
		fmt.Fprintf(&b, "many,host=h%07d,rack=r%d v=%d %d\n", i, i/1000, i, begin.Add(time.Duration(i%60)*time.Second).UnixNano())
		flush(1 << 20)
	}
	for at := begin; at.Before(begin.AddDate(1, 0, 0)); at = at.Add(10 * time.Minute) {
		for h := range hosts {
			fmt.Fprintf(&b, "year,host=h%02d v=%d,w=%d.5 %d\n", h, at.Minute(), h, at.UnixNano())
		}
		flush(1 << 20)
	}
	for m := range measurements {
		for i := range 10 {
			fmt.Fprintf(&b, "m%04d,host=h%d v=%d %d\n", m, i, i, begin.AddDate(0, i, 0).UnixNano())
		}
		flush(1 << 20)
	}
	flush(0)
	s.t.Logf("loaded in %v", time.Since(began).Round(time.Millisecond))
}

// must writes, and again when the server asks for that.
func (s *server) must(lines string) {
	for range 600 {
		err := s.Write("limits", lines)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "503") {
			s.t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatal("a write was refused for a minute")
}

type queryCase struct {
	text  string
	first time.Duration // until when the first row must be there; 0 is any time
}

func (s *server) queries() []queryCase {
	from, to := begin.Format(time.RFC3339), begin.AddDate(1, 0, 0).Format(time.RFC3339)
	year := " WHERE time >= '" + from + "' AND time < '" + to + "' "
	return []queryCase{
		{"SELECT * FROM /.*/", 0},
		{"SELECT * FROM many LIMIT 1", time.Second},
		{"SELECT * FROM many", 0},
		{"SELECT mean(v) FROM many" + year + "GROUP BY *", 0},
		{"SELECT mean(v), max(w) FROM year" + year + "GROUP BY time(1d), *", 0},
		{"SELECT * FROM year" + year + "GROUP BY *", 0},
		{"SELECT mean(v) FROM year WHERE time >= '2015-01-01T00:00:00Z' AND time < '2025-01-01T00:00:00Z' GROUP BY time(1ns)", 0},
		{"SELECT median(v) FROM many", 0},
		{"SHOW SERIES", 0},
		{"SHOW TAG VALUES WITH KEY = host", 0},
	}
}

// kill ends each query at several moments of it.
func (s *server) kill() {
	const soon = 100 * time.Millisecond
	longest, killed := time.Duration(0), 0
	for _, q := range s.queries() {
		for _, after := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, 900 * time.Millisecond} {
			ended := make(chan time.Time, 1)
			go func() {
				s.ask(context.Background(), q.text)
				ended <- time.Now()
			}()
			time.Sleep(after)
			id := s.running()
			if id == "" {
				<-ended
				continue // it was faster
			}
			began, cpu := time.Now(), s.cpu()
			_, err := s.Query("", "KILL QUERY "+id)
			at := <-ended
			cpu = s.cpu() - cpu
			if err != nil {
				continue // it ended just then
			}
			took := at.Sub(began)
			killed++
			longest = max(longest, took)
			if took > soon && cpu > soon { // less: the machine has other work
				s.t.Errorf("%s: it went on for %v and %v of CPU after KILL QUERY", q.text, took, cpu)
			}
		}
	}
	s.t.Logf("%d queries killed, the last of them %v later", killed, longest.Round(time.Millisecond))
}

// running gives the number of the query that runs, or "".
func (s *server) running() string {
	rows, err := s.Query("", "SHOW QUERIES")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range rows {
		if r[1] != "SHOW QUERIES" {
			return fmt.Sprint(r[0])
		}
	}
	return ""
}

// answer is how a query ended.
type answer struct {
	first, all time.Duration
	bytes      int64
	limit      string // the limit that refused it
	failed     error
}

func (a answer) String() string {
	how := a.limit
	if how == "" {
		how = fmt.Sprintf("%.1f MB", float64(a.bytes)/1e6)
	}
	return fmt.Sprintf("first row %v, end %v: %s", a.first.Round(time.Millisecond), a.all.Round(time.Millisecond), how)
}

var (
	// limits are the errors that a query may end with here.
	limits   = regexp.MustCompile(`query-timeout limit exceeded|max-select-[a-z]+ limit exceeded|memory for queries is used up|too many queries are running|memory is nearly used up`)
	anyError = regexp.MustCompile(`"error":"((?:[^"\\]|\\.)*)"`)
)

// ask reads an answer to its end.
func (s *server) ask(ctx context.Context, text string) (a answer) {
	began := time.Now()
	defer func() { a.all = time.Since(began) }()
	form := url.Values{"q": {text}, "db": {"limits"}, "chunked": {"true"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/query", strings.NewReader(form.Encode()))
	if err != nil {
		return answer{failed: err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{failed: err}
	}
	defer resp.Body.Close()
	r := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		line, err := r.ReadSlice('\n')
		a.bytes += int64(len(line))
		if a.first == 0 && len(line) > 0 {
			a.first = time.Since(began)
		}
		if m := anyError.FindSubmatch(line); m != nil {
			if a.limit = string(m[1]); !limits.Match(m[1]) {
				a.failed = fmt.Errorf("%s: %s", resp.Status, m[1])
			}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull) || err == nil:
		case errors.Is(err, io.EOF):
			if resp.StatusCode != http.StatusOK && a.limit == "" {
				a.failed = errors.New(resp.Status)
			}
			return a
		default:
			a.failed = err
			return a
		}
	}
}

// writing writes a batch ten times a second.
type writing struct {
	s    *server
	done chan struct{}
	wg   sync.WaitGroup
}

func (s *server) writeOn() *writing {
	w := &writing{s: s, done: make(chan struct{})}
	w.wg.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		written, refused := 0, 0
		longest := time.Duration(0)
		for n := 0; ; n++ {
			select {
			case <-w.done:
				s.t.Logf("%d batches written meanwhile, %d refused for the time being, the slowest in %v", written, refused, longest.Round(time.Millisecond))
				if written == 0 || refused > written/10 {
					s.t.Error("writes did not go on")
				}
				return
			case <-tick.C:
			}
			var b strings.Builder
			for i := range 1000 {
				fmt.Fprintf(&b, "live,host=h%d v=%d %d\n", i, n, begin.AddDate(1, 1, 0).Add(time.Duration(n)*time.Second).UnixNano())
			}
			began := time.Now()
			err := s.Write("limits", b.String())
			longest = max(longest, time.Since(began))
			switch {
			case err == nil:
				written++
			case strings.Contains(err.Error(), "503"):
				refused++
			default:
				s.t.Errorf("write: %v", err)
				return
			}
		}
	})
	return w
}

func (w *writing) stop() {
	close(w.done)
	w.wg.Wait()
}
