package httpapi

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProfilesAreTakenOneAtATime(t *testing.T) {
	b := newBench(t, nil)
	b.parts.CommandLine = []string{"varved", "--join-token", "[REDACTED]"}
	for _, c := range []struct {
		method, target string
		status         int
		want           string // a part of the answer
	}{
		{"GET", "/debug/pprof", 200, "goroutine"},
		{"GET", "/debug/pprof/", 200, "goroutine"},
		{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile:"},
		{"GET", "/debug/pprof/nothing", 404, "Unknown profile"},
		{"GET", "/debug/pprof/cmdline", 200, "varved\x00--join-token\x00[REDACTED]"},
		{"POST", "/debug/pprof/symbol", 200, "num_symbols"},
		{"POST", "/debug/pprof/heap", 405, ""},
		{"GET", "/debug/pprof/profile?seconds=61", 400, "a profile may take 1m0s at most"},
		{"GET", "/debug/pprof/heap?seconds=1e9", 400, "a profile may take 1m0s at most"},
		{"GET", "/debug/pprof/trace?seconds=NaN", 400, "a profile may take 1m0s at most"},
		{"GET", "/debug/pprof/all?cpu=61s", 400, "a profile may take 1m0s at most"},
		{"GET", "/debug/pprof/all?cpu=x", 400, "could not parse supplied duration for cpu profile"},
		{"GET", "/debug/pprof/all?cpu=-1s", 400, "negative cpu profile durations not allowed"},
		{"GET", "/debug/pprof/all?cpu=1&seconds=99999999999", 400, "could not parse supplied duration for cpu profile"},
		{"GET", "/debug/pprof/all?trace=-1s", 400, "negative trace durations not allowed"},
		{"GET", "/debug/pprof/all?trace", 400, "could not parse supplied duration for trace"},
		{"GET", "/query/../debug/pprof/", 404, ""},
	} {
		if w := b.do(c.method, c.target, ""); w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %.200s, want %d and %q", c.method, c.target, w.Code, w.Body, c.status, c.want)
		}
	}
	b.profiles.taking <- struct{}{}
	if w := b.do("GET", "/debug/pprof/heap", ""); w.Code != 429 {
		t.Errorf("while another profile is taken: %d %s", w.Code, w.Body)
	}
	off := newBench(t, func(c *Config) { c.ProfilesOff = true })
	for _, path := range []string{"", "/", "/heap", "/cmdline", "/symbol"} {
		if w := off.do("GET", "/debug/pprof"+path, ""); w.Code != 404 {
			t.Errorf("%s while there are no profiles: %d", path, w.Code)
		}
	}
}

func TestAProfileDoesNotHoldUpTheEndOfTheServer(t *testing.T) {
	b := newBench(t, nil)
	if err := b.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for _, target := range []string{"profile?seconds=60", "trace?seconds=60", "heap?seconds=60", "all?cpu=60s&trace=45s"} {
		b.do("GET", "/debug/pprof/"+target, "")
	}
	if took := time.Since(start); took > 50*time.Second {
		t.Errorf("profiles were taken for %v after the server was to end", took)
	}
}

func TestAnArchiveHasProfilesAndWhatIsShown(t *testing.T) {
	b := newBench(t, nil)
	texts := ran(b, nil)
	w := b.do("GET", "/debug/pprof/all", "")
	var names []string
	for r := tar.NewReader(bytes.NewReader(w.Body.Bytes())); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	want := []string{
		"profiles/goroutine.pb.gz", "profiles/block.pb.gz", "profiles/mutex.pb.gz", "profiles/heap.pb.gz", "profiles/allocs.pb.gz", "profiles/threadcreate.pb.gz",
		"profiles/shards.txt", "profiles/stats.txt", "profiles/diagnostics.txt",
	}
	if !slices.Equal(names, want) || w.Header().Get("Content-Type") != "application/x-tar" {
		t.Errorf("got %q as %s, want %q", names, w.Header().Get("Content-Type"), want)
	}
	if want := []string{": SHOW SHARDS", ": SHOW STATS", ": SHOW DIAGNOSTICS"}; !slices.Equal(*texts, want) {
		t.Errorf("ran %q, want %q", *texts, want)
	}
}

func TestATraceEndsWhenItIsLong(t *testing.T) {
	var kept bytes.Buffer
	ended := false
	b := &bounded{to: &kept, left: 10, full: func() { ended = true }}
	for i, want := range []bool{false, false, true} {
		if _, err := b.Write([]byte("four")); err != nil || ended != want {
			t.Errorf("after write %d: ended %v, %v", i, ended, err)
		}
	}
	if kept.String() != "fourfourfour" {
		t.Errorf("%q was kept: a trace without its end cannot be read", kept.String())
	}
}

func TestRequestsAreCountedByClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.do("POST", "/write?db=db", "m v=1") // before anyone asks
		answer := make(chan string)
		go func() { answer <- b.do("GET", "/debug/requests?seconds=30", "").Body.String() }()
		synctest.Wait()
		b.do("POST", "/write?db=db", "m v=1")
		b.do("GET", "/query?q=x", "")
		b.do("GET", "/query?q=x", "")
		time.Sleep(31 * time.Second)
		var got map[string]requestCount
		if err := json.Unmarshal([]byte(<-answer), &got); err != nil {
			t.Fatal(err)
		}
		if want := (requestCount{Writes: 1, Queries: 2}); len(got) != 1 || got["192.0.2.1"] != want {
			t.Errorf("got %v, want %v of one client", got, want)
		}
		if len(b.tallies.open) > 0 {
			t.Error("requests are still counted")
		}
	})
	b := newBench(t, nil)
	for target, want := range map[string]string{
		"?seconds=x":                   `{"error":"strconv.ParseInt: parsing \"x\": invalid syntax"}`,
		"?seconds=99999":               `{"error":"exceeded maximum interval time: 99999s \u003e 6h"}`,
		"?seconds=9223372036854775807": `{"error":"exceeded maximum interval time: 9223372036s \u003e 6h"}`,
	} {
		if w := b.do("GET", "/debug/requests"+target, ""); w.Code != 400 || w.Body.String() != want+"\n" {
			t.Errorf("%s: %d %s, want %s", target, w.Code, w.Body, want)
		}
	}
	for range maxTallies {
		b.tallies.begin()
	}
	if w := b.do("GET", "/debug/requests", ""); w.Code != 503 {
		t.Errorf("when too many ask: %d %s", w.Code, w.Body)
	}
	of := tally{}
	for i := range maxClients + 10 {
		of.add(string(rune(i+0x10000)), true)
	}
	if len(of) != maxClients+1 || of[otherClients].Writes != 10 {
		t.Errorf("%d clients are counted, %+v for all others", len(of), of[otherClients])
	}
}

func TestReadinessEndsWhenTheServerDoes(t *testing.T) {
	b := newBench(t, nil)
	for _, path := range []string{"/livez", "/readyz"} {
		if w := b.do("GET", path, ""); w.Code != 200 || w.Body.String() != "ok\n" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	b.parts.Elsewhere = func() error { return errors.New("drained") }
	if w := b.do("GET", "/readyz", ""); w.Code != 503 || w.Body.String() != "drained\n" || w.Header().Get("Retry-After") == "" {
		t.Errorf("when another node is to be asked: %d %s", w.Code, w.Body)
	}
	b.parts.Elsewhere = nil
	if err := b.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if w := b.do("GET", "/readyz", ""); w.Code != 503 || w.Body.String() != "stopping\n" {
		t.Errorf("while it stops: %d %s", w.Code, w.Body)
	}
	if w := b.do("GET", "/livez", ""); w.Code != 200 {
		t.Errorf("while it stops it does not live: %d", w.Code)
	}
}
