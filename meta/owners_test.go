package meta_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
)

// owned gives Stores of that many data nodes, and a shard that the first
// factor of them own.
func owned(t *testing.T, kv meta.KV, nodes, factor int) ([]*meta.Store, uint64) {
	t.Helper()
	var stores []*meta.Store
	for i := range factor {
		stores = append(stores, metatest.OpenStore(t, kv, fmt.Sprintf("n%d", i+1)))
	}
	must(t, stores[0].CreateDatabase(t.Context(), "db", &meta.PolicySpec{Replicas: &factor}))
	g, err := stores[0].EnsureGroup(t.Context(), stores[0].Snapshot().Database("db").Policy("").UID, 0)
	must(t, err)
	for i := factor; i < nodes; i++ {
		stores = append(stores, metatest.OpenStore(t, kv, fmt.Sprintf("n%d", i+1)))
	}
	for _, s := range stores {
		must(t, s.Refresh(t.Context()))
	}
	return stores, g.Shards[0].ID
}

// owners writes the owners of a shard like "1:active 2:joining".
func owners(t *testing.T, s *meta.Store, shard uint64) string {
	t.Helper()
	must(t, s.Refresh(t.Context()))
	_, sh := s.Snapshot().Shard(shard)
	var parts []string
	for i, n := range s.Snapshot().Nodes() {
		for _, o := range sh.Owners {
			if o.Node == n.ID {
				parts = append(parts, fmt.Sprintf("%d:%s", i+1, o.State))
			}
		}
	}
	return strings.Join(parts, " ")
}

func TestOwnersChangeStepByStepAndStepsMayBeRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stores, shard := owned(t, metatest.NewMemory(), 4, 2)
		s := stores[0]
		var id []uint64 // of the nodes, from 1
		for id = append(id, 0); len(id) <= len(stores); {
			id = append(id, stores[len(id)-1].Self())
		}
		ctx := t.Context()
		for _, step := range []struct {
			what, want string
			do         func() error
			refused    bool
		}{
			{what: "add", want: "1:active 2:active 3:joining", do: func() error { return s.AddOwner(ctx, meta.Fence{}, shard, id[3], id[2], meta.ByHand) }},
			{what: "add another", refused: true, do: func() error { return s.AddOwner(ctx, meta.Fence{}, shard, id[4], 0, meta.ByHand) }},
			{what: "leave while active", refused: true, do: func() error { return s.Leave(ctx, shard, id[2]) }},
			{what: "retire while moving", refused: true, do: func() error { return s.Retire(ctx, meta.Fence{}, shard, id[1], meta.ByHand) }},
			{what: "mark joiner", want: "1:active 2:active 3:rebuild", do: func() error { return s.MarkRebuild(ctx, id[1], shard, id[3]) }},
			{what: "activate from rebuild", refused: true, do: func() error { return s.Activate(ctx, shard, id[3]) }},
			{what: "rejoin", want: "1:active 2:active 3:joining", do: func() error { return s.Rejoin(ctx, shard, id[3]) }},
			{what: "activate", want: "1:active 2:leaving 3:active", do: func() error { return s.Activate(ctx, shard, id[3]) }},
			{what: "mark by one that leaves", refused: true, do: func() error { return s.MarkRebuild(ctx, id[2], shard, id[1]) }},
			{what: "leave", want: "1:active 3:active", do: func() error { return s.Leave(ctx, shard, id[2]) }},
			{what: "retire below the factor", refused: true, do: func() error { return s.Retire(ctx, meta.Fence{}, shard, id[1], meta.ForFactor) }},
			{what: "retire", want: "1:leaving 3:active", do: func() error { return s.Retire(ctx, meta.Fence{}, shard, id[1], meta.ByHand) }},
			{what: "remove the last active", refused: true, do: func() error { return s.RemoveOwner(ctx, meta.Fence{}, shard, id[3]) }},
			{what: "mark itself, the other goes on", want: "1:active 3:rebuild", do: func() error { return s.MarkRebuild(ctx, id[3], shard, id[3]) }},
			{what: "mark the last active", refused: true, do: func() error { return s.MarkRebuild(ctx, id[1], shard, id[1]) }},
			{what: "add for one to be rebuilt", want: "1:active 3:rebuild 4:joining", do: func() error { return s.AddOwner(ctx, meta.Fence{}, shard, id[4], id[3], meta.ForRecovery) }},
			{what: "activate for one to be rebuilt", want: "1:active 4:active", do: func() error { return s.Activate(ctx, shard, id[4]) }},
			{what: "retire again", want: "1:active 4:leaving", do: func() error { return s.Retire(ctx, meta.Fence{}, shard, id[4], meta.ByHand) }},
			{what: "restore", want: "1:active 4:active", do: func() error { return s.Restore(ctx, meta.Fence{}, shard, id[4]) }},
			{what: "remove", want: "1:active", do: func() error { return s.RemoveOwner(ctx, meta.Fence{}, shard, id[4]) }},
		} {
			before := owners(t, s, shard)
			err := step.do()
			if step.refused {
				if !errors.Is(err, model.ErrConflict) {
					t.Errorf("%s: %v, want a conflict", step.what, err)
				}
				step.want = before
			} else if err != nil {
				t.Errorf("%s: %v", step.what, err)
			}
			if got := owners(t, s, shard); got != step.want {
				t.Fatalf("%s: from %s to %s, want %s", step.what, before, got, step.want)
			}
			if step.refused {
				continue
			}
			_, was := s.Snapshot().Shard(shard)
			if err := step.do(); err != nil && step.what != "mark itself, the other goes on" {
				t.Errorf("%s, again: %v", step.what, err)
			}
			if _, now := s.Snapshot().Shard(shard); now.Revision != was.Revision {
				t.Errorf("%s, again: revision went from %d to %d", step.what, was.Revision, now.Revision)
			}
		}
		if m := s.Snapshot().Moves(); len(m) > 0 {
			t.Errorf("moves in the end: %+v", m[0])
		}
		if err := s.Activate(ctx, 12345, id[1]); !errors.Is(err, model.ErrNotFound) {
			t.Errorf("step of a shard that is not there: %v", err)
		}
	})
}

func TestOthersAreNotMarkedUntilTheyWouldBeAQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stores, shard := owned(t, metatest.NewMemory(), 3, 3)
		s, ctx := stores[0], t.Context()
		first, second, third := stores[0].Self(), stores[1].Self(), stores[2].Self()
		must(t, s.MarkRebuild(ctx, first, shard, second))
		if err := s.MarkRebuild(ctx, first, shard, third); !errors.Is(err, model.ErrConflict) {
			t.Errorf("the second of three: MarkRebuild gave %v, want ErrConflict", err)
		}
		// What is lost is lost, whoever else has lost it.
		must(t, s.MarkRebuild(ctx, third, shard, third))
		if got := owners(t, s, shard); got != "1:active 2:rebuild 3:rebuild" {
			t.Errorf("owners are %s", got)
		}
	})
}

func TestChangesOfOwnersAreFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stores, shard := owned(t, metatest.NewMemory(), 2, 1)
		lease, err := stores[0].Acquire(t.Context(), "controller", 5e9)
		must(t, err)
		must(t, lease.Release(t.Context()))
		err = stores[0].AddOwner(t.Context(), lease.Fence(), shard, stores[1].Self(), 0, meta.ForFactor)
		if !errors.Is(err, meta.ErrDeposed) {
			t.Errorf("add under a lease that is over: %v", err)
		}
		if got := owners(t, stores[1], shard); got != "1:active" {
			t.Errorf("owners: %s", got)
		}
	})
}

// TestNoOrderOfStepsBreaksAShard lets several nodes take steps at the same time
// that they chose by views of any age, and looks at every revision afterwards.
func TestNoOrderOfStepsBreaksAShard(t *testing.T) {
	rng := seeded.Rand(t)
	for range 5 {
		a, b := rng.Uint64(), rng.Uint64()
		synctest.Test(t, func(t *testing.T) {
			kv := metatest.NewMemory()
			stores, shard := owned(t, kv, 5, 1+int(a%3))
			done := make(chan int)
			for i, s := range stores {
				go func() { done <- stepAtRandom(t, s, shard, rand.New(rand.NewPCG(a, b+uint64(i))), 60) }()
			}
			steps := 0
			for range stores {
				steps += <-done
			}
			if steps < 30 {
				t.Errorf("only %d steps were taken", steps)
			}
			checkHistory(t, kv, shard)
		})
	}
}

// stepAtRandom takes n steps and gives how many were not refused.
func stepAtRandom(t *testing.T, s *meta.Store, shard uint64, rng *rand.Rand, n int) (taken int) {
	ctx := context.WithoutCancel(t.Context())
	views := []*meta.Snapshot{s.Snapshot()}
	for range n {
		views = append(views, s.Snapshot())
		view := views[rng.IntN(len(views))] // as old as can be
		_, sh := view.Shard(shard)
		anyone := func() uint64 { return view.Nodes()[rng.IntN(len(view.Nodes()))].ID }
		owner := func() uint64 { return sh.Owners[rng.IntN(len(sh.Owners))].Node }
		var err error
		switch rng.IntN(12) {
		case 0, 1:
			replaces := owner()
			if rng.IntN(3) == 0 {
				replaces = 0
			}
			err = s.AddOwner(ctx, meta.Fence{}, shard, anyone(), replaces, meta.ByHand)
		case 2, 3:
			err = s.Activate(ctx, shard, owner())
		case 4, 5:
			err = s.Leave(ctx, shard, owner())
		case 6:
			err = s.RemoveOwner(ctx, meta.Fence{}, shard, owner())
		case 7:
			err = s.MarkRebuild(ctx, owner(), shard, owner())
		case 8:
			err = s.Rejoin(ctx, shard, owner())
		case 9:
			err = s.Retire(ctx, meta.Fence{}, shard, owner(), meta.ByHand)
		case 10:
			err = s.Restore(ctx, meta.Fence{}, shard, owner())
		case 11:
			err = []func() error{
				func() error { return s.CancelMove(ctx, shard) },
				func() error { return s.CopyShard(ctx, shard, anyone()) },
				func() error { return s.RemoveShard(ctx, shard, owner()) },
				func() error { return s.MoveShard(ctx, shard, owner(), anyone()) },
			}[rng.IntN(4)]()
		}
		switch {
		case err == nil:
			taken++
		case !errors.Is(err, model.ErrConflict):
			t.Errorf("step: %v", err)
		}
	}
	return taken
}

// allowed is what may become of the state of an owner in one step; "" is none.
var allowed = map[meta.OwnerState][]meta.OwnerState{
	"":           {meta.Joining},
	meta.Joining: {meta.Active, meta.Rebuild, ""},
	meta.Active:  {meta.Leaving, meta.Rebuild, ""},
	meta.Leaving: {meta.Active, ""},
	meta.Rebuild: {meta.Joining, ""},
}

// checkHistory looks at the owners of a shard at every revision that was.
func checkHistory(t *testing.T, kv *metatest.Memory, shard uint64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	history := <-kv.Watch(ctx, root, 1)
	var before map[uint64]meta.OwnerState
	var revision uint64
	move := ""
	for _, c := range history.Changes {
		if strings.HasPrefix(c.Key, root+"moves/") {
			if move != "" && !c.Removed {
				t.Errorf("revision %d: move %s while there is %s", c.Modified, c.Value, move)
			}
			move = string(c.Value)
		}
		if !strings.HasPrefix(c.Key, root+"groups/") || c.Removed {
			continue
		}
		var g meta.ShardGroup
		must(t, json.Unmarshal(c.Value, &struct{ Shards *[]meta.Shard }{&g.Shards}))
		i := slices.IndexFunc(g.Shards, func(sh meta.Shard) bool { return sh.ID == shard })
		if i < 0 {
			continue
		}
		now := map[uint64]meta.OwnerState{}
		count := map[meta.OwnerState]int{}
		for _, o := range g.Shards[i].Owners {
			if now[o.Node] != "" {
				t.Errorf("revision %d: node %d is an owner twice", c.Modified, o.Node)
			}
			now[o.Node] = o.State
			count[o.State]++
		}
		if count[meta.Active] < 1 || count[meta.Leaving] > 1 {
			t.Errorf("revision %d: owners %v", c.Modified, now)
		}
		if before != nil {
			if g.Shards[i].Revision != revision+1 {
				t.Errorf("revision of the owners went from %d to %d", revision, g.Shards[i].Revision)
			}
			came := 0
			for node, state := range now {
				if before[node] != state && !slices.Contains(allowed[before[node]], state) {
					t.Errorf("revision %d: node %d went from %q to %q", c.Modified, node, before[node], state)
				}
				if before[node] == "" {
					came++
				}
			}
			if came > 1 {
				t.Errorf("revision %d: %d new owners at once: %v, %v", c.Modified, came, before, now)
			}
			for node, state := range before {
				if now[node] == "" && !slices.Contains(allowed[state], "") {
					t.Errorf("revision %d: node %d went from %q to nothing", c.Modified, node, state)
				}
			}
		}
		before, revision = now, g.Shards[i].Revision
	}
	if before == nil {
		t.Error("the history does not show the shard")
	}
}
