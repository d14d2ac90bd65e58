package coordinator

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// oneShard gives a cluster with one shard, which all peers own.
func oneShard(t *testing.T, peers ...*peer) *cluster {
	t.Helper()
	c := newCluster(t, DefaultConfig(), peers...)
	if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), One); err != nil {
		t.Fatal(err)
	}
	return c
}

// scan runs a fragment over the only shard and gives how many partials came.
func (c *cluster) scan(t *testing.T, read *query.Read) (int, error) {
	t.Helper()
	streams, err := c.reader.Scan(t.Context(), read, &plan.Fragment{Database: "db", Policy: "autogen", Range: model.AllTime})
	if err != nil || len(streams) != 1 {
		t.Fatalf("Scan gave %d streams, %v", len(streams), err)
	}
	return drain(t, streams[0])
}

func behindUntil(at time.Time) func(context.Context, data.ReadRef) error {
	return func(_ context.Context, r data.ReadRef) error {
		if !r.Stale && time.Now().Before(at) {
			return model.ErrBehind
		}
		return nil
	}
}

func TestReplicasThatAreBehindAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := time.Now().Add(4 * time.Second)
		a := &peer{scan: emits(2, nil), read: behindUntil(ready)}
		b := &peer{scan: emits(2, nil), read: behindUntil(ready.Add(time.Hour))}
		c := oneShard(t, a, b)
		n, err := c.scan(t, nil)
		if took := time.Until(ready); n != 2 || err != nil || took > 0 || took < -time.Second {
			t.Errorf("%d partials, %v, %v after the replica was ready", n, err, -took)
		}
	})
}

func TestReplicasThatStayBehindAreAnErrorThatNamesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := time.Now().Add(time.Hour)
		c := oneShard(t, &peer{read: behindUntil(never)}, &peer{read: behindUntil(never)}, &peer{})
		c.ring.reach(c.ids[2], nil)
		start := time.Now()
		_, err := c.scan(t, nil)
		if took := time.Since(start); took < DefaultConfig().BehindWait || took > DefaultConfig().BehindWait+time.Second {
			t.Errorf("error after %v", took)
		}
		if !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("kind of %v", err)
		}
		for _, word := range []string{"shard ", "a: replica is behind", "b: replica is behind", "c: cannot be reached"} {
			if !contains(err, word) {
				t.Errorf("%v does not say %q", err, word)
			}
		}
	})
}

func TestOwnersThatCannotBeReachedAreAnErrorAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := oneShard(t, &peer{}, &peer{})
		c.ring.reach(c.ids[0], nil)
		c.ring.reach(c.ids[1], nil)
		start := time.Now()
		if _, err := c.scan(t, nil); !errors.Is(err, model.ErrUnavailable) || time.Since(start) > time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestOwnersThatHaveMovedAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		c := oneShard(t, &peer{scan: emits(1, nil), read: func(context.Context, data.ReadRef) error {
			if asked.Add(1) < 3 {
				return model.ErrMoved
			}
			return nil
		}})
		if n, err := c.scan(t, nil); n != 1 || err != nil {
			t.Errorf("%d partials, %v", n, err)
		}
	})
}

// set gives batches 1 to n of one origin, and more.
func set(n uint64, more ...uint64) *model.BatchSet {
	s := &model.BatchSet{}
	for seq := range n {
		s.Add(model.BatchID{Origin: 1, Epoch: 1, Seq: seq + 1})
	}
	for _, seq := range more {
		s.Add(model.BatchID{Origin: 1, Epoch: 1, Seq: seq})
	}
	return s
}

func TestAPartialAnswerIsOfTheOwnerThatHoldsMostAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := time.Now().Add(time.Hour)
		a := &peer{scan: emits(1, nil), read: behindUntil(never), has: set(3)}
		b := &peer{scan: emits(5, nil), read: behindUntil(never), has: set(9)}
		c := oneShard(t, a, b)
		read := &query.Read{Partial: true}
		n, err := c.scan(t, read)
		if n != 5 || err != nil {
			t.Errorf("%d partials, %v; want the 5 of the owner that holds most", n, err)
		}
		if text := lacks(read); !strings.Contains(text, "is answered by b") || !strings.Contains(text, "behind") {
			t.Errorf("the answer lacks %q", text)
		}
	})
}

func TestAPartialAnswerLeavesOutWhatNobodyHasAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := oneShard(t, &peer{})
		c.ring.reach(c.ids[0], nil)
		read := &query.Read{Partial: true}
		if n, err := c.scan(t, read); n != 0 || err != nil {
			t.Errorf("%d partials, %v", n, err)
		}
		if text := lacks(read); !strings.Contains(text, "is missing: a: cannot be reached") {
			t.Errorf("the answer lacks %q", text)
		}
		if l, err := c.reader.List(t.Context(), read, []query.Shards{allOf("")}, &exec.ListRequest{Kind: exec.ListSeries}); err != nil || len(l.Entries) != 0 {
			t.Errorf("List gave %v, %v", l, err)
		}
	})
}

func lacks(r *query.Read) string { return strings.Join(r.Lacking(), "\n") }

func TestAQuorumReadContainsWhatMoreThanHalfHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Pointer[data.ReadRef]
		holds := func(_ context.Context, r data.ReadRef) error { asked.Store(&r); return nil }
		a := &peer{scan: emits(1, nil), read: holds, has: set(3)}
		b := &peer{scan: emits(2, nil), read: holds, has: set(3, 7)}
		c := oneShard(t, a, b, &peer{})
		c.ring.reach(c.ids[2], nil)
		n, err := c.scan(t, &query.Read{Consistency: query.ReadQuorum})
		if n != 2 || err != nil {
			t.Errorf("%d partials, %v; want the 2 of the owner that holds all", n, err)
		}
		if r := asked.Load(); r == nil || r.Holds == nil || !r.Holds.Equal(set(3, 7)) {
			t.Errorf("asked for %+v, want the union", r)
		}
		c.ring.reach(c.ids[1], nil)
		if _, err := c.scan(t, &query.Read{Consistency: query.ReadQuorum}); !errors.Is(err, model.ErrUnavailable) || !contains(err, "read consistency not met") {
			t.Errorf("with one of three owners: %v", err)
		}
		if n, err := c.scan(t, &query.Read{Consistency: query.ReadOne}); n != 1 || err != nil {
			t.Errorf("with one of three owners, at one: %d partials, %v", n, err)
		}
	})
}

// What it had acknowledged with the others may be in their logs alone.
func TestOwnersToBeRebuiltAreMissingFromAQuorumRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := oneShard(t, &peer{scan: emits(1, nil), has: set(3)}, &peer{}, &peer{})
		var shard uint64
		for g := range c.store.Snapshot().AllGroups {
			shard = g.Shards[0].ID
		}
		for _, id := range c.ids[1:] {
			if err := c.store.MarkRebuild(t.Context(), id, shard, id); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.scan(t, &query.Read{Consistency: query.ReadQuorum}); !errors.Is(err, model.ErrUnavailable) || !contains(err, "1 of 2") {
			t.Errorf("one owner of three, the others to be rebuilt: %v", err)
		}
	})
}

func TestAQuorumReadWaitsForWhatNoOwnerHoldsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Int64
		ready.Store(time.Now().Add(2 * time.Second).UnixNano())
		pulls := func(ctx context.Context, r data.ReadRef) error {
			select {
			case <-time.After(time.Until(time.Unix(0, ready.Load()))):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		c := oneShard(t, &peer{scan: emits(1, nil), read: pulls, has: set(1, 5)}, &peer{scan: emits(1, nil), read: pulls, has: set(1, 9)})
		if n, err := c.scan(t, &query.Read{Consistency: query.ReadQuorum}); n != 1 || err != nil || time.Now().UnixNano() < ready.Load() {
			t.Errorf("%d partials, %v", n, err)
		}
		ready.Store(time.Now().Add(time.Hour).UnixNano())
		start := time.Now()
		if _, err := c.scan(t, &query.Read{Consistency: query.ReadQuorum}); !errors.Is(err, model.ErrUnavailable) || time.Since(start) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestASlowReplicaIsHedgedAndCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancelled := make(chan struct{})
		slow := &peer{scan: emits(1, nil), read: func(ctx context.Context, _ data.ReadRef) error {
			<-ctx.Done()
			close(cancelled)
			return ctx.Err()
		}}
		c := oneShard(t, slow, &peer{scan: emits(4, nil)})
		start := time.Now()
		n, err := c.scan(t, nil)
		if n != 4 || err != nil || time.Since(start) != hedgeUnknown {
			t.Errorf("%d partials, %v after %v", n, err, time.Since(start))
		}
		<-cancelled
	})
}

// Two owners that answer at the same time must not be mixed.
func TestOfTwoReplicasThatAnswerOneIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := func(context.Context, data.ReadRef) error { time.Sleep(2 * time.Second); return nil }
		c := oneShard(t, &peer{scan: emits(3, nil), read: late}, &peer{scan: emits(3, nil), read: func(context.Context, data.ReadRef) error {
			time.Sleep(time.Second)
			return nil
		}})
		for range 20 {
			if n, err := c.scan(t, nil); n != 3 || err != nil {
				t.Fatalf("%d partials, %v", n, err)
			}
		}
	})
}

func TestHedgesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var second atomic.Int64
		slow := func(context.Context, data.ReadRef) error { time.Sleep(3 * time.Second); return nil }
		c := oneShard(t, &peer{scan: emits(1, nil), read: slow}, &peer{scan: emits(1, nil), read: func(context.Context, data.ReadRef) error {
			second.Add(1)
			time.Sleep(3 * time.Second)
			return nil
		}})
		for range 200 {
			if _, err := c.scan(t, nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := second.Load(); n == 0 || n > hedgeBurst+400/hedgeShare {
			t.Errorf("%d of 200 reads were hedged", n)
		}
	})
}

func TestTheLocalReplicaIsAskedFirstThenTheFastest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := oneShard(t, &peer{}, &peer{}, &peer{})
		s := groups(c)[0].Shards[0]
		for range 2 * sortEvery {
			c.reader.latencies.add(latencyOf{c.ids[1], true}, 50*time.Millisecond)
			c.reader.latencies.add(latencyOf{c.ids[2], true}, 5*time.Millisecond)
		}
		owners, _ := c.reader.candidates(&s, true)
		if len(owners) != 3 || owners[0].node != c.ids[0] || owners[1].node != c.ids[2] || owners[2].node != c.ids[1] {
			t.Errorf("asked in the order %v", owners)
		}
	})
}

func TestAClientThatGoesAwayEndsTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int64
		stuck := func(ctx context.Context, _ data.ReadRef) error {
			running.Add(1)
			defer running.Add(-1)
			<-ctx.Done()
			return ctx.Err()
		}
		c := oneShard(t, &peer{read: stuck}, &peer{read: stuck})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		_, err := c.reader.List(ctx, nil, []query.Shards{allOf("")}, &exec.ListRequest{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List gave %v", err)
		}
		synctest.Wait()
		if n := running.Load(); n != 0 {
			t.Errorf("%d owners are still at work", n)
		}
	})
}
