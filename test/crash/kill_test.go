package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

var (
	binary = flag.String("binary", "", "the varved to kill; built when empty")
	rounds = flag.Int("rounds", 3, "how often to kill it")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random choices")
)

const (
	writers   = 4
	batchRows = 50
	minWrites = 100 * time.Millisecond // of writing before a kill
	maxWrites = 600 * time.Millisecond
	// maxRecovery bounds when the second kill comes: some hit the replay, some
	// the time just after it.
	maxRecovery = 150 * time.Millisecond
)

// base is the first timestamp; a writer's points are a minute apart, so the
// points of a run lie in several shards.
var base = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// writer sends batches of points, numbered from 0, and remembers how many were
// acknowledged. Point n has the value n and lies n minutes after base.
type writer struct {
	id    int
	acked int          // points 0 … acked-1 were acknowledged, but for the gaps
	gaps  map[int]bool // points whose batch got no answer
	next  int
}

func (w *writer) time(n int) int64 { return base + int64(n)*int64(time.Minute) }

// run writes until ctx ends or a request fails, which is when the server died.
func (w *writer) run(ctx context.Context, url string) {
	for ctx.Err() == nil {
		var body bytes.Buffer
		for n := w.next; n < w.next+batchRows; n++ {
			fmt.Fprintf(&body, "m,writer=%d v=%di,f=%d.25,s=\"text %d\" %d\n", w.id, n, n, n, w.time(n))
		}
		resp, err := http.Post(url+"/write?db=crash", "text/plain", &body)
		ok := err == nil && resp.StatusCode == http.StatusNoContent
		if err == nil {
			resp.Body.Close()
		}
		if !ok {
			// Stored or not: either is right. The numbers are not used again.
			for n := w.next; n < w.next+batchRows; n++ {
				w.gaps[n] = true
			}
		}
		w.next += batchRows
		w.acked = w.next
		if !ok {
			return
		}
	}
}

// check compares the points from number first on with what the server has.
func (w *writer) check(t *testing.T, server string, first int) (checked int) {
	t.Helper()
	q := fmt.Sprintf("SELECT v, f, s FROM m WHERE writer = '%d' AND time >= %d", w.id, w.time(first))
	resp, err := http.Get(server + "/query?db=crash&epoch=ns&q=" + url.QueryEscape(q))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Results []struct {
			Error  string
			Series []struct{ Values [][]any }
		}
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil || len(doc.Results) != 1 || doc.Results[0].Error != "" {
		t.Fatalf("%s: %v %s", q, err, answer)
	}
	have := map[int]bool{}
	for _, s := range doc.Results[0].Series {
		for _, row := range s.Values {
			at, err := row[0].(json.Number).Int64()
			if err != nil {
				t.Fatal(err)
			}
			n := int((at - base) / int64(time.Minute))
			want := fmt.Sprint([]any{at, n, fmt.Sprintf("%d.25", n), fmt.Sprintf("text %d", n)})
			if got := fmt.Sprint(row); got != want {
				t.Fatalf("writer %d: point %d is %s, want %s", w.id, n, got, want)
			}
			have[n] = true
		}
	}
	for n := first; n < w.acked; n++ {
		if !w.gaps[n] && !have[n] {
			t.Errorf("writer %d: point %d was acknowledged and is gone", w.id, n)
		}
	}
	return len(have)
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	if *binary == "" {
		*binary = harness.Build(t)
	}
	t.Logf("seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 0))
	dir := t.TempDir()
	server, err := harness.Start(*binary, dir)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(server.URL+"/query?q="+url.QueryEscape("CREATE DATABASE crash WITH SHARD DURATION 1d"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	all := make([]*writer, writers)
	for i := range all {
		all[i] = &writer{id: i, gaps: map[int]bool{}}
	}
	recoveryKills := 0
	for round := range *rounds {
		first := make([]int, writers)
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for i, w := range all {
			first[i] = w.next
			wg.Go(func() { w.run(ctx, server.URL) })
		}
		time.Sleep(minWrites + time.Duration(rng.Int64N(int64(maxWrites-minWrites))))
		server.Kill()
		cancel()
		wg.Wait()

		// A second death while it recovers must not change anything.
		args := []string{"--data-dir", dir, "--http-bind-address", "127.0.0.1:0"}
		again := exec.Command(*binary, args...)
		if err := again.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.Int64N(int64(maxRecovery))))
		again.Process.Kill()
		again.Wait()
		recoveryKills++

		server, err = harness.Start(*binary, dir)
		if err != nil {
			t.Fatalf("round %d: does not start: %v", round, err)
		}
		for i, w := range all {
			w.check(t, server.URL, first[i])
		}
		if t.Failed() {
			t.Fatalf("round %d: the server said:\n%s", round, server.Log())
		}
	}
	checked, acked := 0, 0
	for _, w := range all {
		checked += w.check(t, server.URL, 0)
		acked += w.acked - len(w.gaps)
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	if strings.Contains(server.Log(), "panic") {
		t.Errorf("the log speaks of a panic:\n%s", server.Log())
	}
	if !t.Failed() {
		t.Logf("figure: kill -9: %d cycles of writing, a kill, and another while it recovers (%d): %d points acknowledged, %d found, lost 0", *rounds, recoveryKills, acked, checked)
	}
}
