package data

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/tsm"
)

func TestNextShardIsPreparedWhenTimeEndsSoon(t *testing.T) {
	var wall atomic.Int64
	now := time.Now()
	wall.Store(now.UnixNano())
	w := newWorld(t, DefaultConfig())
	if err := w.node.Close(); err != nil {
		t.Fatal(err)
	}
	w.wall = func() time.Time { return time.Unix(0, wall.Load()) }
	w.open(t, w.disk, DefaultConfig())
	first := w.shard(t, now)
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		w.mustWrite(t, first, name, now)
	}
	g, _ := w.store.Snapshot().Shard(first.Shard)
	next := w.shard(t, time.Unix(0, g.End))
	h, shard, err := w.node.shards.use(first.Shard)
	if err != nil {
		t.Fatal(err)
	}
	defer w.node.release(h)
	done := map[uint64]int{}
	prepare := func(at int64) {
		wall.Store(at)
		w.node.prepareNext(t.Context(), h.id, shard, done, pace.New(prepareRate))
	}
	for _, early := range []int64{g.Start, g.End - int64(prepareAtMost) - 1, g.End} {
		if prepare(early); len(done) > 0 {
			t.Fatalf("prepared %v before its end", time.Duration(g.End-early))
		}
	}
	prepare(g.End - int64(prepareAtMost)/2)
	if fmt.Sprint(done) != fmt.Sprint(map[uint64]int{first.Shard: len(names)}) {
		t.Fatalf("prepared %v, want %d series of shard %d", done, len(names), first.Shard)
	}
	if got := w.series(t, next); got != "" {
		t.Errorf("the next shard lists %q before it is written to", got)
	}
	h2, to, err := w.node.shards.use(next.Shard)
	if err != nil {
		t.Fatal(err)
	}
	defer w.node.release(h2)
	if added := prepared(t, shard, to); added != 0 {
		t.Errorf("%d series were not known in the next shard", added)
	}
	// What comes later is prepared, too, and only once.
	w.mustWrite(t, first, "e", now)
	prepare(g.End - 1)
	if done[first.Shard] != len(names)+1 {
		t.Errorf("prepared %d series, want %d", done[first.Shard], len(names)+1)
	}
	w.mustWrite(t, next, "e", time.Unix(0, g.End))
	if got := w.series(t, next); got != "m,t=e" {
		t.Errorf("the next shard lists %q, want the series that was written", got)
	}
}

// prepared prepares a shard again, and gives how many series were new.
func prepared(t *testing.T, from, to *tsm.Shard) int {
	t.Helper()
	r, err := from.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	added, err := to.Prepare(t.Context(), r.Live())
	if err != nil {
		t.Fatal(err)
	}
	return added
}
