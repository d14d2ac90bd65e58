package httpapi

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// openPort opens a port of TCP.
func openPort(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

func TestAServerThatStartsLivesAndIsNotReady(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		keys := httptest.NewUnstartedServer(nil) // it has a certificate, and clients that trust it
		client := &http.Client{Timeout: 10 * time.Second}
		var secure *tls.Config
		if scheme == "https" {
			keys.StartTLS()
			client.Transport, secure = keys.Client().Transport, keys.TLS
		}
		s, l := NewStarting(DefaultConfig(), secure, slog.New(slog.DiscardHandler)), openPort(t)
		s.Serve(l)
		url := scheme + "://" + l.Addr().String()
		for _, c := range []struct {
			method, path, body string
			status             int
			answer             string
		}{
			{"GET", "/livez", "", 200, "ok\n"},
			{"GET", "/readyz", "", 503, "starting\n"},
			{"HEAD", "/ping", "", 503, ""},
			{"GET", "/metrics", "", 503, `{"error":"starting"}` + "\n"},
			{"POST", "/query?q=SHOW+DATABASES", "", 503, `{"error":"starting"}` + "\n"},
			{"POST", "/write?db=d", strings.Repeat("m v=1\n", 1e6), 503, `{"error":"starting"}` + "\n"},
		} {
			r, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := client.Do(r)
			if err != nil {
				t.Fatalf("%s %s %s: %v", scheme, c.method, c.path, err)
			}
			answer, err := io.ReadAll(got.Body)
			got.Body.Close()
			if err != nil || got.StatusCode != c.status || string(answer) != c.answer || !got.Close {
				t.Errorf("%s %s %s gave %s %q, %v; want %d %q", scheme, c.method, c.path, got.Status, answer, err, c.status, c.answer)
			}
			if again := got.Header.Get("Retry-After"); (again == "1") != (c.status == 503) {
				t.Errorf("%s %s %s says Retry-After: %q", scheme, c.method, c.path, again)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		keys.Close()
	}
}

func TestPortsPassToTheServerWithoutAFailedConnection(t *testing.T) {
	b, l := newBench(t, nil), openPort(t)
	s := NewStarting(DefaultConfig(), nil, slog.New(slog.DiscardHandler))
	s.Serve(l)
	url := "http://" + l.Addr().String()
	var before, after atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	asking := make(chan struct{})
	go func() {
		defer close(asking)
		for ctx.Err() == nil {
			r, err := client.Get(url + "/readyz")
			if err != nil {
				t.Errorf("after %d and %d answers: %v", before.Load(), after.Load(), err)
				return
			}
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				after.Add(1)
			} else {
				before.Add(1)
			}
		}
	}()
	await := func(n *atomic.Int64) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); n.Load() < 20; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("no answers")
			}
		}
	}
	await(&before)
	s.Stop()
	served := make(chan error, 1)
	go func() { served <- b.Serve(l) }()
	await(&after)
	stop()
	<-asking
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := b.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
