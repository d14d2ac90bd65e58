package metatest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// names gives the continuous queries of a database, in their order.
func names(s *meta.Snapshot, database string) (out []string) {
	for _, q := range s.ContinuousQueries(s.Database(database).UID) {
		out = append(out, q.Name)
	}
	return out
}

func continuousQueriesGoWithTheirDatabase(t *testing.T, kv meta.KV) {
	a, b := OpenStore(t, kv, "a"), OpenStore(t, kv, "b")
	ctx := t.Context()
	for _, db := range []string{"d", "e"} {
		must(t, a.CreateDatabase(ctx, db, nil))
		for _, name := range []string{"z", "a b", "m/n"} {
			must(t, a.CreateContinuousQuery(ctx, db, name, "Text of "+name))
			must(t, b.CreateContinuousQuery(ctx, db, name, "text OF "+name))
		}
	}
	if err := b.CreateContinuousQuery(ctx, "d", "z", "another"); !errors.Is(err, model.ErrConflict) || err.Error() != "continuous query already exists" {
		t.Errorf("another of the same name: %v", err)
	}
	if err := b.CreateContinuousQuery(ctx, "nope", "z", "x"); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("on a database that there is not: %v", err)
	}
	must(t, b.DropContinuousQuery(ctx, "d", "a b"))
	must(t, b.DropContinuousQuery(ctx, "d", "a b"))
	must(t, b.DropContinuousQuery(ctx, "nope", "a b"))
	must(t, a.Refresh(ctx))
	if got, want := names(a.Snapshot(), "d"), []string{"z", "m/n"}; !reflect.DeepEqual(got, want) {
		t.Errorf("queries of d: %q, want %q", got, want)
	}
	must(t, a.DropDatabase(ctx, "d"))
	must(t, a.CreateDatabase(ctx, "d", nil))
	if got := names(a.Snapshot(), "d"); got != nil {
		t.Errorf("queries of the new d: %q", got)
	}
	if got := names(a.Snapshot(), "e"); len(got) != 3 {
		t.Errorf("queries of e: %q", got)
	}
}

// Stores that create the same at once make one of it, and one of two that differ.
func racingStoresMakeOneContinuousQuery(t *testing.T, kv meta.KV) {
	const n = 4
	stores := make([]*meta.Store, n)
	for i := range stores {
		stores[i] = OpenStore(t, kv, fmt.Sprint("n", i))
	}
	must(t, stores[0].CreateDatabase(t.Context(), "d", nil))
	var won, lost sync.Map
	var all sync.WaitGroup
	for i, s := range stores {
		all.Go(func() {
			for round := range 5 {
				if err := s.CreateContinuousQuery(t.Context(), "d", "same", "text"); err != nil {
					t.Errorf("create the same: %v", err)
				}
				err := s.CreateContinuousQuery(t.Context(), "d", fmt.Sprint("q", round), fmt.Sprint("text ", i))
				switch {
				case err == nil:
					won.Store([2]int{round, i}, true)
				case errors.Is(err, model.ErrConflict):
					lost.Store([2]int{round, i}, true)
				default:
					t.Errorf("create: %v", err)
				}
			}
		})
	}
	all.Wait()
	count := func(m *sync.Map) (n int) {
		m.Range(func(any, any) bool { n++; return true })
		return n
	}
	if count(&won) != 5 || count(&lost) != 5*(n-1) {
		t.Errorf("%d made one of their own and %d did not, want 5 and %d", count(&won), count(&lost), 5*(n-1))
	}
	must(t, stores[0].Refresh(t.Context()))
	if got := names(stores[0].Snapshot(), "d"); len(got) != 6 {
		t.Errorf("queries: %q", got)
	}
}

func progressIsFencedAndGoesWithItsQuery(t *testing.T, kv meta.KV) {
	s := OpenStore(t, kv, "a")
	ctx := t.Context()
	must(t, s.CreateDatabase(ctx, "d", nil))
	var all []meta.Progress
	for i := range 150 { // more than one transaction takes
		must(t, s.CreateContinuousQuery(ctx, "d", fmt.Sprint("q", i), "text"))
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, q := range s.Snapshot().ContinuousQueries(s.Snapshot().Database("d").UID) {
		all = append(all, meta.Progress{Query: q.UID, Until: at.UnixNano() - 1, Ran: at, Points: q.UID, Failure: "no"})
	}
	lease, err := s.Acquire(ctx, "continuous", time.Minute)
	must(t, err)
	unknown := meta.Progress{Query: 1 << 40, Until: 1}
	must(t, s.SetProgress(ctx, lease.Fence(), append([]meta.Progress{unknown}, all...)...))

	other := OpenStore(t, kv, "b")
	got, err := other.Progress(ctx)
	must(t, err)
	if len(got) != len(all) {
		t.Fatalf("progress of %d queries, want %d", len(got), len(all))
	}
	for _, p := range all {
		if got[p.Query] != p {
			t.Fatalf("progress %+v, want %+v", got[p.Query], p)
		}
	}

	must(t, s.DropContinuousQuery(ctx, "d", "q0"))
	must(t, lease.Release(ctx))
	if err := s.SetProgress(ctx, lease.Fence(), all[1]); !errors.Is(err, meta.ErrDeposed) {
		t.Errorf("progress under a lost lease: %v", err)
	}
	// other may not have seen yet that the query was dropped.
	must(t, other.SetProgress(ctx, meta.Fence{}, all[0], all[1]))
	got, err = other.Progress(ctx)
	must(t, err)
	if _, there := got[all[0].Query]; there || len(got) != len(all)-1 {
		t.Errorf("%d of %d are left after a drop, the dropped one: %v", len(got), len(all), there)
	}
	must(t, s.DropDatabase(ctx, "d"))
	if got, err = s.Progress(ctx); err != nil || len(got) != 0 {
		t.Errorf("after the database: %v, %v", got, err)
	}
}

func subscriptionsGoWithTheirPolicy(t *testing.T, kv meta.KV) {
	a, b := OpenStore(t, kv, "a"), OpenStore(t, kv, "b")
	ctx := t.Context()
	must(t, a.CreateDatabase(ctx, "d", nil))
	sub := meta.Subscription{Name: "s", Mode: meta.ToAll, Destinations: []string{"udp://h:1", "http://[::1]:2/x?y=z"}}
	must(t, a.CreateSubscription(ctx, "d", "autogen", sub))
	for _, c := range []struct {
		err  error
		want string
	}{
		{b.CreateSubscription(ctx, "d", "autogen", sub), "subscription already exists"},
		{b.CreateSubscription(ctx, "d", "nope", sub), "retention policy not found: nope"},
		{b.CreateSubscription(ctx, "nope", "autogen", sub), "database not found: nope"},
		{b.CreateSubscription(ctx, "d", "autogen", meta.Subscription{Name: "t", Mode: meta.ToAny, Destinations: []string{"ftp://h:1"}}), "invalid subscription URL: ftp://h:1"},
		{b.CreateSubscription(ctx, "d", "autogen", meta.Subscription{Name: "t", Mode: meta.ToAny, Destinations: []string{"http://h"}}), "invalid subscription URL: http://h"},
		{b.DropSubscription(ctx, "d", "autogen", "t"), "subscription not found"},
		{b.DropSubscription(ctx, "d", "nope", "s"), "retention policy not found: nope"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got %v, want %q", c.err, c.want)
		}
	}
	must(t, b.Refresh(ctx))
	if got := b.Snapshot().Database("d").Policy("").Subscriptions; len(got) != 1 || !reflect.DeepEqual(*got[0], sub) {
		t.Errorf("subscriptions: %+v", got)
	}
	must(t, b.DropSubscription(ctx, "d", "autogen", "s"))
	if got := b.Snapshot().Database("d").Policy("").Subscriptions; len(got) != 0 {
		t.Errorf("subscriptions after the drop: %+v", got)
	}
}
