package metatest

import (
	"fmt"
	"testing"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

func droppedShardLeavesOthersInTheirPlace(t *testing.T, kv meta.KV) {
	var s *meta.Store
	for i := range 3 {
		s = OpenStore(t, kv, fmt.Sprint("n", i))
	}
	ctx := t.Context()
	one, three := 1, 3
	must(t, s.CreateDatabase(ctx, "d", &meta.PolicySpec{Replicas: &one}))
	must(t, s.CreatePolicy(ctx, "d", meta.PolicySpec{Name: "single", Replicas: &three}, false))
	d := s.Snapshot().Database("d")

	g, err := s.EnsureGroup(ctx, d.Policy("").UID, 0)
	must(t, err)
	if len(g.Shards) != 3 {
		t.Fatalf("%d shards of three nodes with one copy", len(g.Shards))
	}
	dropped := g.Shards[1]
	must(t, s.DropShard(ctx, dropped.ID))
	must(t, s.DropShard(ctx, dropped.ID))
	must(t, s.DropShard(ctx, 1<<40))
	now := s.Snapshot().GroupByID(g.ID)
	fresh := now.Shards[1]
	if !now.Live() || len(now.Shards) != 3 || now.Shards[0].ID != g.Shards[0].ID || now.Shards[2].ID != g.Shards[2].ID {
		t.Fatalf("group after the drop: %+v, before: %+v", now, g)
	}
	if _, gone := s.Snapshot().Shard(dropped.ID); gone != nil || fresh.ID == dropped.ID || len(fresh.Owners) != 1 || fresh.Owners[0] != dropped.Owners[0] {
		t.Errorf("%+v came in place of %+v, which is there: %v", fresh, dropped, gone != nil)
	}
	again, err := s.EnsureGroup(ctx, d.Policy("single").UID, 0)
	must(t, err)
	if again.ID <= fresh.ID {
		t.Errorf("id %d was given to a group after %d to a shard", again.ID, fresh.ID)
	}

	must(t, s.DropShard(ctx, again.Shards[0].ID))
	if live := s.Snapshot().Groups(d.Policy("single").UID, model.AllTime); len(live) != 0 {
		t.Errorf("groups after the drop of their only shard: %+v", live)
	}
}
