package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

// fakeQuotas counts, and refuses when it is told to.
type fakeQuotas struct {
	written int
	refusal error
}

func (f *fakeQuotas) MayWrite(string, string) error { return f.refusal }
func (f *fakeQuotas) Wrote(_, _ string, points int) { f.written += points }

func TestWritesCountAgainstTheirQuotas(t *testing.T) {
	b, q := newBench(t, nil), &fakeQuotas{}
	b.quotas = q
	if w := b.do("POST", "/write?db=db", "m v=1 1\nm v=2 2\nbad"); w.Code != 400 || q.written != 2 {
		t.Errorf("got %d, %d points counted", w.Code, q.written)
	}
	q.refusal = &model.Overload{Text: "too fast", After: 2500 * time.Millisecond}
	for _, path := range []string{"/write?db=db", "/api/v2/write?bucket=db", "/api/v1/prom/write?db=db"} {
		w := b.do("POST", path, "m v=1 1")
		if w.Code != 503 || w.Header().Get("Retry-After") != "3" || w.Body.String() != `{"error":"too fast"}`+"\n" {
			t.Errorf("%s: got %d, Retry-After %q, %s", path, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
	if q.written != 2 {
		t.Errorf("%d points counted after refusals, want 2", q.written)
	}
}

func TestWritesAboveTheLimitWaitAndThenAreRefused(t *testing.T) {
	b := newBench(t, func(c *Config) { c.ConcurrentWrites, c.EnqueuedWrites, c.EnqueuedTimeout = 1, 1, 20*time.Millisecond })
	b.writes.free = 0
	if w := b.do("POST", "/write?db=db", "m v=1 1"); w.Code != 503 || !strings.Contains(w.Body.String(), "request throttled, exceeds timeout") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	b.writes.most = 0
	if w := b.do("POST", "/write?db=db", "m v=1 1"); w.Code != 503 || !strings.Contains(w.Body.String(), "request throttled, queue full") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestConcurrentWritesHaveNoBoundWhereNoneIsAsked(t *testing.T) {
	b := newBench(t, func(c *Config) { c.ConcurrentWrites, c.EnqueuedWrites = 0, 0 })
	if w := b.do("POST", "/write?db=db", "m v=1 1"); w.Code != 204 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// served gives the address of a server with b's settings.
func served(t *testing.T, b *bench) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.Serve(l) }()
	t.Cleanup(func() {
		_ = b.http.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// answers reports whether a connection is served.
func answers(conn net.Conn) bool {
	fmt.Fprint(conn, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	return err == nil && resp.StatusCode == http.StatusNoContent
}

func TestConnectionsAreBounded(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"together":       func(c *Config) { c.MaxConnections = 2 },
		"of one address": func(c *Config) { c.MaxConnectionsOfOne = 2 },
	} {
		b := newBench(t, change)
		address := served(t, b)
		first, second := dial(t, address), dial(t, address)
		if !answers(first) || !answers(second) {
			t.Fatalf("%s: connections within the limit are not served", name)
		}
		if answers(dial(t, address)) {
			t.Errorf("%s: a connection above the limit is served", name)
		}
		first.Close()
		for deadline := time.Now().Add(10 * time.Second); !answers(dial(t, address)); {
			if time.Now().After(deadline) {
				t.Fatalf("%s: none is served after another one was closed", name)
			}
		}
	}
}

// Whoever reads the body, or nobody: the server itself looks for the next request
// behind it.
func TestDrippingBodiesAreGivenUpOnEveryRoute(t *testing.T) {
	b := newBench(t, func(c *Config) { c.BodyTimeout = 100 * time.Millisecond })
	address := served(t, b)
	for _, path := range []string{"/write?db=db", "/write?db=none", "/write", "/query?q=SHOW+DATABASES", "/ping", "/nowhere", "/api/v2/query"} {
		conn := dial(t, address)
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", path)
		go func() {
			for {
				if _, err := io.WriteString(conn, "x"); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		start := time.Now()
		if _, err := io.Copy(io.Discard, conn); time.Since(start) > 5*time.Second {
			t.Errorf("%s: open after %v, %v", path, time.Since(start), err)
		}
	}
}

func TestAHeaderThatIsTooLargeIsRefused(t *testing.T) {
	b := newBench(t, nil)
	conn := dial(t, served(t, b))
	go func() {
		fmt.Fprintf(conn, "GET /ping HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 1<<20))
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %v, %v", resp, err)
	}
}
