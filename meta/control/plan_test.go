package control

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/meta"
)

func TestPlanMakesNodesEquallyFull(t *testing.T) {
	rng := seeded.Rand(t)
	for round := range 20 {
		nodes, factor, added := 2+rng.IntN(5), 1+rng.IntN(3), 1+rng.IntN(2)
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, rng)
			defer c.end()
			for i := range nodes {
				c.start(fmt.Sprint("n", i))
			}
			s := c.nodes["n0"].store
			c.groups(s, "db", factor, 20+rng.IntN(60))
			for i := range added {
				c.start(fmt.Sprint("new", i))
			}
			bytes := map[uint64]int64{}
			now := s.Snapshot()
			for g := range now.AllGroups {
				for _, sh := range g.Shards {
					bytes[sh.ID] = 1<<20 + rng.Int64N(10<<20)
				}
			}
			plan := Plan(now, bytes)
			checkPlan(t, fmt.Sprintf("round %d: %d nodes, %d added, factor %d", round, nodes, added, factor), now, bytes, plan)
		})
	}
}

// checkPlan makes the moves of a plan and looks at what comes out.
func checkPlan(t *testing.T, what string, now *meta.Snapshot, bytes map[uint64]int64, plan []meta.PlannedMove) {
	t.Helper()
	has := map[uint64]map[uint64]bool{} // by shard
	for g := range now.AllGroups {
		for _, sh := range g.Shards {
			has[sh.ID] = map[uint64]bool{}
			for _, o := range sh.Owners {
				has[sh.ID][o.Node] = true
			}
		}
	}
	all := int64(0)
	for _, m := range plan {
		if !has[m.Shard][m.From] || has[m.Shard][m.To] || m.Bytes != bytes[m.Shard] {
			t.Errorf("%s: move %+v of a shard that %v have", what, m, has[m.Shard])
		}
		delete(has[m.Shard], m.From)
		has[m.Shard][m.To] = true
		all += m.Bytes
	}
	load, sum := map[uint64]int64{}, int64(0)
	for shard, nodes := range has {
		for n := range nodes {
			load[n] += bytes[shard]
			sum += bytes[shard]
		}
	}
	mean := float64(sum) / float64(len(now.Nodes()))
	for _, n := range now.Nodes() {
		if off := math.Abs(float64(load[n.ID])/mean - 1); off > 0.1 {
			t.Errorf("%s: node %d has %.0f %% of the mean", what, n.ID, 100*float64(load[n.ID])/mean)
		}
	}
	if float64(all) > 1.2*float64(sum)*2/float64(len(now.Nodes())) {
		t.Errorf("%s: %d of %d bytes are moved", what, all, sum)
	}
}

func TestPlanLeavesAloneWhatIsBalancedOrCannotMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, seeded.Rand(t), "n1", "n2", "n3")
		defer c.end()
		s := c.nodes["n1"].store
		c.groups(s, "db", 3, 10)
		if plan := Plan(s.Snapshot(), nil); len(plan) > 0 {
			t.Errorf("plan where every node has everything: %v", plan)
		}
		c.groups(s, "single", 1, 10)
		if plan := Plan(s.Snapshot(), nil); len(plan) > 0 {
			t.Errorf("plan where all is equal: %v", plan)
		}
		c.start("n4")
		c.must(s.SetDraining(t.Context(), c.nodes["n4"].id, true))
		if plan := Plan(s.Snapshot(), nil); len(plan) > 0 {
			t.Errorf("plan with a node that is draining: %v", plan)
		}
	})
}
