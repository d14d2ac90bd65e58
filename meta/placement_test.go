package meta_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
)

// group makes a group of a new database with that factor and gives it.
func group(t *testing.T, s *meta.Store, database string, factor int) *meta.ShardGroup {
	t.Helper()
	must(t, s.CreateDatabase(t.Context(), database, &meta.PolicySpec{Replicas: &factor}))
	g, err := s.EnsureGroup(t.Context(), s.Snapshot().Database(database).Policy("").UID, 0)
	must(t, err)
	return g
}

func TestNewGroupGivesEveryNodeTheSameLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		s := metatest.OpenStore(t, kv, "n1")
		for n := 1; n <= 7; n++ {
			if n > 1 {
				metatest.OpenStore(t, kv, fmt.Sprintf("n%d", n))
			}
			for factor := 1; factor <= 4; factor++ {
				g := group(t, s, fmt.Sprintf("db%d-%d", n, factor), factor)
				load := map[uint64]int{}
				for _, sh := range g.Shards {
					has := map[uint64]bool{}
					for _, o := range sh.Owners {
						has[o.Node] = true
						load[o.Node]++
					}
					if len(has) != min(factor, n) || len(sh.Owners) != len(has) {
						t.Errorf("%d nodes, factor %d: owners %v", n, factor, sh.Owners)
					}
				}
				for _, node := range s.Snapshot().Nodes() {
					if want := len(g.Shards) * min(factor, n) / n; load[node.ID] != want {
						t.Errorf("%d nodes, factor %d: node %d keeps %d replicas of %d shards, want %d", n, factor, node.ID, load[node.ID], len(g.Shards), want)
					}
				}
			}
		}
	})
}

func TestNewGroupSpreadsOverZones(t *testing.T) {
	for _, test := range []struct {
		zones  string // of the nodes, in the order of their ids; - is none
		factor int
		want   int // zones that every shard has owners in
	}{
		{"aabbcc", 3, 3},
		{"aabbcc", 2, 2},
		{"aaabbb", 2, 2},
		{"aaabcd", 2, 2},
		{"aabbbccd", 2, 2},
		{"aaaabbbbcccc", 3, 3},
		{"aab", 2, 1}, // two of three are in a: some must share it
		{"aabb", 3, 2},
		{"a-a-", 2, 2},
		{"abc", 3, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			kv := metatest.NewMemory()
			var s *meta.Store
			zone := map[uint64]string{}
			for i, z := range test.zones {
				s = metatest.OpenStore(t, kv, fmt.Sprintf("n%d", i))
				zone[s.Self()] = fmt.Sprint(i)
				if z != '-' {
					zone[s.Self()] = string(z)
					must(t, s.LabelNode(t.Context(), s.Self(), map[string]string{meta.LabelZone: string(z)}))
				}
			}
			for i := range 5 {
				for _, sh := range group(t, s, fmt.Sprint("db", i), test.factor).Shards {
					zones := map[string]bool{}
					for _, o := range sh.Owners {
						zones[zone[o.Node]] = true
					}
					if len(zones) < test.want {
						t.Errorf("zones %s, factor %d: owners %v are in %d zones, want %d", test.zones, test.factor, sh.Owners, len(zones), test.want)
					}
				}
			}
		})
	}
}

func TestNewGroupAvoidsNodesThatAreAwayOrDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		s := metatest.OpenStore(t, kv, "n1")
		drains, away := metatest.OpenStore(t, kv, "n2"), metatest.OpenStore(t, kv, "n3")
		must(t, s.SetDraining(t.Context(), drains.Self(), true))
		must(t, away.Close())
		if g := group(t, s, "db", 3); len(g.Shards) != 1 || len(g.Shards[0].Owners) != 1 || g.Shards[0].Owners[0].Node != s.Self() {
			t.Errorf("shards with one node that is there and stays: %+v", g.Shards)
		}
		must(t, s.SetDraining(t.Context(), s.Self(), true))
		must(t, s.SetDraining(t.Context(), away.Self(), true))
		if g := group(t, s, "all", 3); len(g.Shards[0].Owners) != 3 {
			t.Errorf("shards when all are to go: %+v", g.Shards)
		}
	})
}

func TestTruncatedGroupsAreFollowedByNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		s := metatest.OpenStore(t, kv, "n1")
		must(t, s.CreateDatabase(t.Context(), "db", nil))
		policy := s.Snapshot().Database("db").Policy("").UID
		now := time.Now()
		old, err := s.EnsureGroup(t.Context(), policy, now.UnixNano())
		must(t, err)
		metatest.OpenStore(t, kv, "n2")

		at := now.Add(time.Minute)
		holds := func(later bool) func(context.Context, *meta.ShardGroup, time.Time) (bool, error) {
			return func(context.Context, *meta.ShardGroup, time.Time) (bool, error) { return later, nil }
		}
		ended, err := s.TruncateGroups(t.Context(), at, holds(true))
		must(t, err)
		if len(ended) > 0 {
			t.Errorf("groups with later points that were truncated: %v", ended)
		}
		ended, err = s.TruncateGroups(t.Context(), at, holds(false))
		must(t, err)
		if len(ended) != 1 || ended[0] != old.ID {
			t.Errorf("truncated groups: %v, want %d", ended, old.ID)
		}
		cut := s.Snapshot().GroupByID(old.ID)
		if cut.End != at.UnixNano() || cut.Shards[0].Revision != old.Shards[0].Revision+1 {
			t.Errorf("truncated group: %+v", cut)
		}
		next, err := s.EnsureGroup(t.Context(), policy, at.UnixNano())
		must(t, err)
		if next.Start != cut.End || next.End != old.End || len(next.Shards[0].Owners) != 2 {
			t.Errorf("the next group: %+v, want one from %d to %d with two owners", next, cut.End, old.End)
		}
	})
}
