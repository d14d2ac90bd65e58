package control

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/meta"
)

// shards runs a test in a bubble with a cluster of these nodes.
func shards(t *testing.T, test func(*testing.T, *cluster), nodes ...string) {
	t.Helper()
	rng := seeded.Rand(t)
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, rng, nodes...)
		defer c.end()
		test(t, c)
	})
}

// controlled runs a controller in the background.
func (c *cluster) controlled(cfg Config) (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	ended := c.control(ctx, c.kv, cfg, nil)
	return func() {
		cancel()
		<-ended
	}
}

func TestThreeToFourToThreeNodesWhileControllersAreKilled(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 2, 48)
		ctx, cancel := context.WithCancel(t.Context())
		ended := c.controlMortally(ctx, DefaultConfig())

		n4 := c.start("n4")
		time.Sleep(time.Minute)
		plan := Plan(s.Snapshot(), nil)
		c.must(s.StartRebalance(t.Context(), plan))
		c.settle(s, time.Hour)
		load := c.load(s.Snapshot())
		mean := 0.0
		for _, n := range load {
			mean += float64(n) / float64(len(load))
		}
		for name, n := range load {
			if float64(n) < 0.9*mean || float64(n) > 1.1*mean {
				t.Errorf("%s has %d replicas, the mean is %.1f: %v", name, n, mean, load)
			}
		}
		if more := Plan(s.Snapshot(), nil); len(more) > 0 {
			t.Errorf("the plan after the rebalance is %v", more)
		}

		c.must(s.SetDraining(t.Context(), n4.id, true))
		c.settle(s, time.Hour)
		if load := c.load(s.Snapshot()); load["n4"] != 0 {
			t.Errorf("replicas after the draining of n4: %v", load)
		}
		c.must(s.RemoveNode(t.Context(), n4.id))
		time.Sleep(time.Minute)
		c.settle(s, time.Minute)

		cancel()
		killed := <-ended
		t.Logf("%d moves planned, %d controllers killed", len(plan), killed)
		if killed < 5 {
			t.Errorf("only %d controllers were killed", killed)
		}
		c.neverBelow(2)
		c.throttled(DefaultConfig())
	}, "n1", "n2", "n3")
}

func TestShardsFollowTheFactorOfTheirPolicy(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 1, 6)
		defer c.controlled(DefaultConfig())()
		for _, factor := range []int{2, 3, 2, 1} {
			c.must(s.AlterPolicy(t.Context(), "db", "autogen", meta.PolicyUpdate{Replicas: &factor}))
			c.settle(s, 10*time.Minute)
			if load := c.load(s.Snapshot()); load["n1"]+load["n2"]+load["n3"] != 6*3*factor {
				t.Errorf("factor %d: replicas %v", factor, load)
			}
		}
		c.neverBelow(1)
		c.throttled(DefaultConfig())
	}, "n1", "n2", "n3")
}

func TestShardsFollowTheNumberOfNodes(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 0, 6)
		defer c.controlled(DefaultConfig())()
		for nodes := 2; nodes <= 4; nodes++ {
			c.start(fmt.Sprint("n", nodes))
			c.settle(s, 5*time.Minute)
			all := 0
			for _, n := range c.load(s.Snapshot()) {
				all += n
			}
			if all != 6*min(3, nodes) {
				t.Errorf("%d nodes: replicas %v", nodes, c.load(s.Snapshot()))
			}
		}
		c.neverBelow(1)
	}, "n1")
}

func TestReplicasOfAnAbsentNodeAreReplaced(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 2, 6)
		defer c.controlled(DefaultConfig())()
		time.Sleep(time.Minute)
		before := c.load(s.Snapshot())

		c.kill("n4")
		time.Sleep(25 * time.Minute)
		if load := c.load(s.Snapshot()); load["n4"] != before["n4"] {
			t.Errorf("replicas after 25 minutes: %v, before %v", load, before)
		}
		c.start("n4")
		time.Sleep(10 * time.Minute)
		c.kill("n4")
		time.Sleep(25 * time.Minute)
		if load := c.load(s.Snapshot()); load["n4"] != before["n4"] {
			t.Errorf("replicas 25 minutes after the second time: %v, before %v", load, before)
		}
		time.Sleep(10 * time.Minute)
		c.settle(s, 10*time.Minute)
		if load := c.load(s.Snapshot()); load["n4"] != 0 {
			t.Errorf("replicas of the absent node: %v", load)
		}
		c.neverBelow(2)
		c.throttled(DefaultConfig())
		c.start("n4")
		time.Sleep(time.Minute)
		c.settle(s, 0)
	}, "n1", "n2", "n3", "n4")
}

func TestAbsenceIsCountedOverControllers(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 2, 3)
		c.kill("n3")
		for range 8 {
			stop := c.controlled(DefaultConfig())
			time.Sleep(5 * time.Minute)
			stop()
		}
		c.settle(s, 0)
		if load := c.load(s.Snapshot()); load["n3"] != 0 {
			t.Errorf("replicas after 40 minutes: %v", load)
		}
	}, "n1", "n2", "n3")
}

func TestAbsentNodeKeepsWhatNobodyElseCanTake(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 3, 3)
		c.groups(s, "single", 1, 3)
		before := c.load(s.Snapshot())
		c.kill("n3")
		defer c.controlled(DefaultConfig())()
		time.Sleep(3 * time.Hour)
		if load := c.load(s.Snapshot()); fmt.Sprint(load) != fmt.Sprint(before) {
			t.Errorf("replicas: %v, before %v", load, before)
		}
	}, "n1", "n2", "n3")
}

func TestMovesWhoseNodesDieAreGivenUpOrTurnedBack(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 1, 1)
		var shard uint64
		for g := range s.Snapshot().AllGroups {
			shard = g.Shards[0].ID
		}
		_, sh := s.Snapshot().Shard(shard)
		from := sh.Owners[0].Node
		joiner := c.start("n2")
		defer c.controlled(DefaultConfig())()

		// The joiner dies: its copy is given up.
		c.kill("n2")
		c.must(s.AddOwner(t.Context(), meta.Fence{}, shard, joiner.id, from, meta.ByHand))
		time.Sleep(10 * time.Minute)
		if _, sh := s.Snapshot().Shard(shard); len(sh.Owners) != 1 || sh.Owners[0].Node != from {
			t.Errorf("owners after the joiner died: %v", sh.Owners)
		}

		// It dies right after it became active: the old owner goes on.
		n2 := c.start("n2")
		c.must(s.AddOwner(t.Context(), meta.Fence{}, shard, n2.id, from, meta.ByHand))
		c.kill("n1") // so that it does not leave
		c.must(n2.store.Activate(t.Context(), shard, n2.id))
		c.kill("n2")
		s = c.start("n1").store
		time.Sleep(40 * time.Minute)
		c.settle(s, time.Minute)
		if _, sh := s.Snapshot().Shard(shard); len(sh.Owners) != 1 || sh.Owners[0].Node != from {
			t.Errorf("owners after the new one died: %v", sh.Owners)
		}
		c.neverBelow(1)
	}, "n1")
}

func TestReplicasAreMovedToZonesOfTheirOwn(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["a1@a"].store
		c.groups(s, "db", 2, 4) // both owners in zone a
		c.start("b1@b")
		c.start("b2@b")
		defer c.controlled(DefaultConfig())()
		three := 3
		c.must(s.AlterPolicy(t.Context(), "db", "autogen", meta.PolicyUpdate{Replicas: &three}))
		c.settle(s, 10*time.Minute)
		two := 2
		c.must(s.AlterPolicy(t.Context(), "db", "autogen", meta.PolicyUpdate{Replicas: &two}))
		c.settle(s, 10*time.Minute)
		for g := range s.Snapshot().AllGroups {
			for _, sh := range g.Shards {
				zones := map[string]bool{}
				for _, o := range sh.Owners {
					zones[s.Snapshot().Node(o.Node).Labels[meta.LabelZone]] = true
				}
				if len(zones) != 2 {
					t.Errorf("shard %d: owners %v in zones %v", sh.ID, sh.Owners, zones)
				}
			}
		}
		if plan := Plan(s.Snapshot(), nil); len(plan) > 0 {
			for _, m := range plan {
				from, to := s.Snapshot().Node(m.From), s.Snapshot().Node(m.To)
				if from.Labels[meta.LabelZone] != to.Labels[meta.LabelZone] {
					t.Errorf("plan moves shard %d from %s to %s", m.Shard, from.Name, to.Name)
				}
			}
		}
	}, "a1@a", "a2@a")
}

func TestWipedNodeGetsItsReplicasBackAlone(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 3, 6)
		defer c.controlled(DefaultConfig())()
		time.Sleep(time.Minute)
		old := c.nodes["n3"].id
		c.kill("n3")
		delete(c.nodes, "n3")
		time.Sleep(10 * time.Second)
		c.start("n3")
		time.Sleep(5 * time.Second)
		c.settle(s, 5*time.Minute)
		if load := c.load(s.Snapshot()); c.nodes["n3"].id == old || load["n3"] != 6 {
			t.Errorf("replicas of the new node %d: %v", c.nodes["n3"].id, load)
		}
	}, "n1", "n2", "n3")
}

func TestRebalanceCanBeCancelled(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 1, 20)
		c.start("n2")
		defer c.controlled(DefaultConfig())()
		c.must(s.StartRebalance(t.Context(), Plan(s.Snapshot(), nil)))
		if err := s.StartRebalance(t.Context(), Plan(s.Snapshot(), nil)); err == nil {
			t.Error("a second plan was taken while one is under way")
		}
		time.Sleep(3 * time.Second)
		c.must(s.CancelRebalance(t.Context()))
		c.settle(s, time.Minute)
		moved := c.load(s.Snapshot())["n2"]
		time.Sleep(10 * time.Minute)
		if load := c.load(s.Snapshot()); load["n2"] != moved || moved >= 10 {
			t.Errorf("replicas after the cancellation: %v, at once after it n2 had %d", load, moved)
		}
	}, "n1")
}

func TestCopiedShardKeepsItsCopyUntilItIsRemoved(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 1, 1)
		var shard uint64
		for g := range s.Snapshot().AllGroups {
			shard = g.Shards[0].ID
		}
		defer c.controlled(DefaultConfig())()
		n2 := c.start("n2")
		c.must(s.CopyShard(t.Context(), shard, n2.id))
		time.Sleep(10 * time.Minute)
		c.settle(s, 0)
		if load := c.load(s.Snapshot()); load["n2"] != 1 || load["n1"] != 1 {
			t.Errorf("replicas after the copy: %v", load)
		}
		c.must(s.RemoveShard(t.Context(), shard, c.nodes["n1"].id))
		time.Sleep(10 * time.Minute)
		c.settle(s, 0)
		if load := c.load(s.Snapshot()); load["n2"] != 1 || load["n1"] != 0 {
			t.Errorf("replicas after the removal: %v", load)
		}
		if err := s.RemoveShard(t.Context(), shard, n2.id); err == nil {
			t.Error("the last replica was removed")
		}
		c.must(s.MoveShard(t.Context(), shard, n2.id, c.nodes["n1"].id))
		c.settle(s, time.Minute)
		if load := c.load(s.Snapshot()); load["n2"] != 0 || load["n1"] != 1 {
			t.Errorf("replicas after the move: %v", load)
		}
	}, "n1")
}

func TestMovesOfDroppedShardsAreForgotten(t *testing.T) {
	shards(t, func(t *testing.T, c *cluster) {
		s := c.nodes["n1"].store
		c.groups(s, "db", 1, 1)
		c.kill("n2")
		for g := range s.Snapshot().AllGroups {
			for _, sh := range g.Shards {
				to := c.nodes["n1"].id + c.nodes["n2"].id - sh.Owners[0].Node
				c.must(s.AddOwner(t.Context(), meta.Fence{}, sh.ID, to, sh.Owners[0].Node, meta.ByHand))
			}
		}
		c.must(s.DropDatabase(t.Context(), "db"))
		if len(s.Snapshot().Moves()) == 0 {
			t.Fatal("there are no moves to forget")
		}
		defer c.controlled(DefaultConfig())()
		time.Sleep(time.Minute)
		if m := s.Snapshot().Moves(); len(m) > 0 {
			t.Errorf("moves of shards that were dropped: %+v", *m[0])
		}
	}, "n1", "n2")
}
