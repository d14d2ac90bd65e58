package continuous

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/querytest"
)

// cluster is metadata and rows that nodes share, and what queries wrote.
type cluster struct {
	t    *testing.T
	kv   *metatest.Memory
	rows *querytest.Store

	mu     sync.Mutex
	points map[string]string // by measurement and time: the value
	writes map[string]int    // how often
	before func(ctx context.Context, measurement string) error
}

// newCluster has a point in each minute of the hour after the tests' clock
// begins, whose value is the minute's number.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, kv: metatest.NewMemory(), rows: querytest.NewStore(querytest.Options{}), points: map[string]string{}, writes: map[string]int{}}
	var lines strings.Builder
	start := time.Now().Truncate(time.Minute)
	for i := range 3 * 60 {
		fmt.Fprintf(&lines, "src v=%d %d\n", i, start.Add(time.Duration(i)*time.Minute+time.Second).UnixNano())
	}
	if err := c.rows.Write("db", "autogen", []byte(lines.String())); err != nil {
		t.Fatal(err)
	}
	return c
}

// Write implements query.Writer.
func (c *cluster) Write(ctx context.Context, _ query.Destination, b *model.Batch) error {
	c.mu.Lock()
	before := c.before
	c.mu.Unlock()
	if before != nil {
		if err := before(ctx, b.Tables[0].Measurement); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range b.Tables {
		t := &b.Tables[i]
		for row, at := range t.Times {
			key := t.Measurement + " " + time.Unix(0, at).UTC().Format("15:04")
			c.points[key] = fmt.Sprint(t.Columns[0].Value(row))
			c.writes[key]++
		}
	}
	return nil
}

// refusing refuses batches with a point of a certain time.
type refusing struct {
	*cluster
	at string
}

// Write implements query.Writer.
func (r refusing) Write(ctx context.Context, to query.Destination, b *model.Batch) error {
	for _, at := range b.Tables[0].Times {
		if time.Unix(0, at).UTC().Format("15:04") == r.at {
			return &model.Error{Kind: model.ErrInvalid, Text: "partial write"}
		}
	}
	return r.cluster.Write(ctx, to, b)
}

// written gives the points of a measurement, as "hh:mm=value".
func (c *cluster) written(measurement string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, key := range slices.Sorted(maps.Keys(c.points)) {
		if at, ok := strings.CutPrefix(key, measurement+" "); ok {
			out = append(out, at+"="+c.points[key])
		}
	}
	return strings.Join(out, " ")
}

// node is one node of a cluster that may run its queries.
type node struct {
	store *meta.Store
	stop  func()
}

// node starts one over kv.
func (c *cluster) node(kv meta.KV) *node {
	c.t.Helper()
	return c.nodeThat(kv, c)
}

// nodeThat starts one that writes by w.
func (c *cluster) nodeThat(kv meta.KV, w query.Writer) *node {
	c.t.Helper()
	store, err := meta.Open(c.t.Context(), kv, vfs.NewMem(), "meta", meta.DefaultConfig(), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	queries, err := query.New(query.DefaultConfig(), c.rows, c.rows, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	queries.WriteTo(w)
	r, err := New(store, queries, DefaultConfig(), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	n := &node{store: store}
	n.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		store.Close()
	})
	c.t.Cleanup(n.stop)
	return n
}

// create makes a continuous query of src.
func (n *node) create(t *testing.T, name, resample, group string) {
	t.Helper()
	if err := n.store.CreateDatabase(t.Context(), "db", nil); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("CREATE CONTINUOUS QUERY %s ON db %s BEGIN SELECT sum(v) INTO db.autogen.%s FROM db.autogen.src GROUP BY %s END", name, resample, name, group)
	if err := n.store.CreateContinuousQuery(t.Context(), "db", name, text); err != nil {
		t.Fatal(err)
	}
}

// status gives how a query fares.
func (n *node) status(t *testing.T, name string) Status {
	t.Helper()
	all, _, err := Look(t.Context(), n.store)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Query.Name == name {
			return s
		}
	}
	t.Fatalf("there is no status of %s in %+v", name, all)
	return Status{}
}

// wait lets time pass, to a moment between two looks of a runner.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func wants(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestRunnerWritesEachWindowWhenItHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		n := c.node(c.kv)
		n.create(t, "q", "", "time(10m)")
		wait(9*time.Minute + 59*time.Second)
		wants(t, "before the first window has ended", c.written("q"), "")
		wait(21 * time.Minute)
		wants(t, "after three windows", c.written("q"), "00:00=45 00:10=145 00:20=245")
		for at, times := range c.writes {
			if times != 1 {
				t.Errorf("%s was written %d times", at, times)
			}
		}
		s := n.status(t, "q")
		if s.Progress.Points != 3 || s.Progress.Failure != "" || s.Lag != 0 || time.Since(s.Progress.Ran) > 2*time.Minute {
			t.Errorf("the status is %+v", s)
		}
	})
}

func TestRunnerCatchesUpAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		n := c.node(c.kv)
		n.create(t, "q", "", "time(10m)")
		wait(12 * time.Minute)
		n.stop()
		wait(45 * time.Minute)
		wants(t, "while nobody runs", c.written("q"), "00:00=45")
		n = c.node(c.kv)
		wait(20 * time.Second)
		wants(t, "a moment after the start", c.written("q"), "00:00=45 00:10=145 00:20=245 00:30=345 00:40=445")
		if s := n.status(t, "q"); s.Lag != 0 || s.Progress.Points != 5 {
			t.Errorf("the status is %+v", s)
		}
	})
}

// behind is a KV of a node whose changes do not come before on is closed.
type behind struct {
	meta.KV
	on chan struct{}
}

// Watch implements meta.KV.
func (b behind) Watch(ctx context.Context, prefix string, from int64) <-chan meta.Changes {
	out := make(chan meta.Changes)
	go func() {
		defer close(out)
		select {
		case <-b.on:
		case <-ctx.Done():
			return
		}
		for changes := range b.KV.Watch(ctx, prefix, from) {
			select {
			case out <- changes:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func TestRunnerThatLearnsLateOfAQueryGoesOnFromItsMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a := c.node(c.kv)
		a.create(t, "old", "", "time(10m)")
		wait(time.Second)
		late := behind{c.kv, make(chan struct{})}
		b := c.node(late)
		a.create(t, "q", "", "time(10m)")
		wait(12 * time.Minute)
		a.stop()
		wait(30 * time.Minute)
		const first = "00:00=45"
		wants(t, "the query that the second knows", c.written("old"), first+" 00:10=145 00:20=245 00:30=345")
		wants(t, "the one that it does not know", c.written("q"), first)
		close(late.on)
		wait(20 * time.Second)
		wants(t, "when it knows", c.written("q"), first+" 00:10=145 00:20=245 00:30=345")
		if s := b.status(t, "q"); s.Lag != 0 || s.Progress.Points != 4 {
			t.Errorf("the status is %+v", s)
		}
		b.stop()
	})
}

func TestQueryThatFailsDoesNotHoldUpOthersAndCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		down := true
		c.before = func(ctx context.Context, measurement string) error {
			switch measurement {
			case "stuck":
				<-ctx.Done()
				return context.Cause(ctx)
			case "bad":
				c.mu.Lock()
				defer c.mu.Unlock()
				if down {
					return fmt.Errorf("no owner: %w", model.ErrUnavailable)
				}
			}
			return nil
		}
		n := c.node(c.kv)
		for _, name := range []string{"bad", "stuck", "good"} {
			n.create(t, name, "", "time(10m)")
		}
		wait(31 * time.Minute)
		wants(t, "the good one", c.written("good"), "00:00=45 00:10=145 00:20=245")
		wants(t, "the bad one", c.written("bad"), "")
		s := n.status(t, "bad")
		if !strings.Contains(s.Progress.Failure, "no owner") || s.Lag < 20*time.Minute {
			t.Errorf("the status of the bad one is %+v", s)
		}
		c.mu.Lock()
		down = false
		c.mu.Unlock()
		wait(2 * time.Minute)
		wants(t, "the bad one, when it can", c.written("bad"), "00:00=45 00:10=145 00:20=245")
		n.stop()
	})
}

func TestOneBadWindowDoesNotCostTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		n := c.node(c.kv)
		n.create(t, "q", "", "time(10m)")
		wait(time.Minute)
		n.stop()
		wait(2 * time.Hour)
		n = c.nodeThat(c.kv, refusing{c, "00:50"})
		wait(time.Minute)
		got := c.written("q")
		if strings.Contains(got, "00:50") || !strings.Contains(got, "00:40=445 01:00=645") || !strings.HasSuffix(got, "01:50=1145") {
			t.Errorf("around a window that cannot be written: %s", got)
		}
		if s := n.status(t, "q"); s.Lag != 0 || s.Progress.Failure != "" {
			t.Errorf("the status is %+v", s)
		}
	})
}

func TestOnlyTheHolderOfTheLeaseWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		first, second := c.kv.View(), c.kv.View()
		a := c.node(first)
		a.create(t, "q", "", "time(10m)")
		wait(10*time.Minute - 30*time.Second)
		b := c.node(second)

		// The first one is cut off from the metadata in the middle of a run, and
		// is slow: when it wants to write, the other has long had the lease.
		held := make(chan struct{})
		slow := true
		c.mu.Lock()
		c.before = func(context.Context, string) error {
			c.mu.Lock()
			mine := slow
			slow = false
			c.mu.Unlock()
			if mine {
				<-held
				return errors.New("lost")
			}
			return nil
		}
		c.mu.Unlock()
		wait(30*time.Second + 100*time.Millisecond)
		first.SetAway(true)
		wait(time.Minute)
		wants(t, "what the second wrote", c.written("q"), "00:00=45")
		close(held)
		wait(10 * time.Minute)
		wants(t, "while the first is cut off", c.written("q"), "00:00=45 00:10=145")
		first.SetAway(false)
		wait(10 * time.Minute)
		wants(t, "when it is back", c.written("q"), "00:00=45 00:10=145 00:20=245")
		for at, times := range c.writes {
			if times != 1 {
				t.Errorf("%s was written %d times", at, times)
			}
		}
		if s := b.status(t, "q"); s.Progress.Points != 3 || s.Progress.Failure != "" {
			t.Errorf("the status is %+v", s)
		}
		a.stop()
		b.stop()
	})
}

func TestGuardRefusesWritesAfterTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := time.Now().Add(leaseTTL)
		var tm term
		tm.until.Store(&until)
		if err := tm.guard(); err != nil {
			t.Errorf("within the lease: %v", err)
		}
		time.Sleep(leaseTTL + 1)
		if err := tm.guard(); !errors.Is(err, meta.ErrDeposed) {
			t.Errorf("after the lease: %v", err)
		}
	})
}

func TestDroppedQueryEndsAndOneMadeAgainBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		n := c.node(c.kv)
		n.create(t, "q", "", "time(10m)")
		wait(11 * time.Minute)
		if err := n.store.DropContinuousQuery(t.Context(), "db", "q"); err != nil {
			t.Fatal(err)
		}
		wait(30 * time.Minute)
		n.create(t, "q", "", "time(10m)")
		wait(10 * time.Minute)
		wants(t, "with a gap", c.written("q"), "00:00=45 00:40=445")
	})
}

func TestWhatTheTargetWouldNotKeepIsLeftOut(t *testing.T) {
	j := &job{known: true, schedule: schedule{}}
	j.schedule.windows.Every, j.schedule.runs.Every = int64(time.Minute), int64(time.Minute)
	now := time.Unix(100_000, 0)
	j.skip(now, time.Hour)
	if oldest := now.Add(-time.Hour).UnixNano(); j.progress.Until < oldest || j.progress.Until > oldest+int64(time.Minute) {
		t.Errorf("the mark is %v before now", now.Sub(time.Unix(0, j.progress.Until)))
	}
}

func TestHalfOfTheRequestsAreLeftToClients(t *testing.T) {
	for concurrent, want := range map[int]int{1: 1, 2: 1, 4: 2, 8: 4, 64: 4} {
		cfg := query.DefaultConfig()
		cfg.Concurrent = concurrent
		queries, err := query.New(cfg, nil, nil, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := New(nil, queries, DefaultConfig(), slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.slots != want {
			t.Errorf("of %d requests at a time %d are continuous queries, want %d", concurrent, r.slots, want)
		}
	}
}
