package cluster

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/test/harness"
)

// fill writes so many shard groups of an hour each, with rows in each, and gives
// the number of rows.
func fill(t *testing.T, n *harness.Node, groups, each int) (rows int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	for g := range groups {
		var lines strings.Builder
		for i := range each {
			at := time.Now().Truncate(time.Hour).Add(-time.Duration(g)*time.Hour + time.Duration(i)*100*time.Millisecond)
			fmt.Fprintf(&lines, "old,host=h%d v=%v %d\n", i%20, rng.Float64(), at.UnixNano())
		}
		if err := n.Write("db", lines.String()); err != nil {
			t.Fatal(err)
		}
	}
	return groups * each
}

// spread gives the fewest and the most bytes that a node keeps, relative to the
// mean.
func spread(t *testing.T, c *harness.Cluster) (least, most float64) {
	t.Helper()
	s, err := ask[adminapi.Status](c.Nodes[0], http.MethodGet, "/status")
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, n := range s.Nodes {
		total += n.Bytes
	}
	mean := float64(total) / float64(len(s.Nodes))
	least, most = 10, 0
	for _, n := range s.Nodes {
		least, most = min(least, float64(n.Bytes)/mean), max(most, float64(n.Bytes)/mean)
	}
	return least, most
}

func TestNodesComeAndGoUnderLoad(t *testing.T) {
	c := harness.NewCluster(t, binaries.varved)
	c.Start(3)
	mustQuery(t, c.Nodes[0], "CREATE DATABASE db WITH REPLICATION 2 SHARD DURATION 1h")
	groups := either(12, 48)
	old := fill(t, c.Nodes[0], groups, either(5_000, 30_000))
	load := startLoad(t, &load{db: "db", urls: urls(c), consistency: "one"}, 2, 1)
	count := func(n *harness.Node) error {
		rows, err := n.Query("db", "SELECT count(v) FROM old")
		if err == nil && (len(rows) != 1 || rows[0][1] != float64(old)) {
			err = fmt.Errorf("%s counts %v, want %d", n.Name, rows, old)
		}
		return err
	}
	c.Start(1)
	fourth := c.Nodes[3]
	if out, err := ctl(c.Nodes[0], "rebalance", "--plan"); err != nil {
		t.Fatalf("rebalance --plan: %v: %s", err, out)
	}
	if out, err := ctl(c.Nodes[0], "rebalance", "--apply"); err != nil {
		t.Fatalf("rebalance --apply: %v: %s", err, out)
	}
	began := time.Now()
	// Whoever leads is killed twice in the middle.
	for range 2 {
		time.Sleep(2 * time.Second)
		leader := controller(t, c)
		leader.Kill()
		restart(t, leader)
	}
	eventually(t, either(3*time.Minute, 10*time.Minute), func() error { return idle(c.Nodes[0]) })
	took := time.Since(began)
	least, most := spread(t, c)
	if *long { // in the short run the shards that are written to weigh more than all others
		eventually(t, 2*time.Minute, func() error { // until logs have become files everywhere
			if least, most = spread(t, c); least < 0.9 || most > 1.1 {
				return fmt.Errorf("bytes per node are %.2f to %.2f of the mean, want within 10 %%", least, most)
			}
			return nil
		})
	}
	t.Logf("3 to 4 nodes with %d groups took %v; a node keeps %.2f to %.2f of the mean", groups, took.Round(time.Second), least, most)
	for _, n := range c.Nodes {
		eventually(t, 20*time.Second, func() error { return count(n) })
	}
	began = time.Now()
	if out, err := ctl(c.Nodes[0], "node", "drain", fourth.Name); err != nil {
		t.Fatalf("node drain: %v: %s", err, out)
	}
	eventually(t, either(3*time.Minute, 10*time.Minute), func() error {
		all, err := listShards(c.Nodes[0])
		if err != nil {
			return err
		}
		for _, s := range all {
			for _, o := range s.Owners {
				if o.Name == fourth.Name {
					return fmt.Errorf("%s still owns shard %d", o.Name, s.ID)
				}
			}
		}
		return nil
	})
	if out, err := ctl(c.Nodes[0], "node", "remove", fourth.Name); err != nil {
		t.Fatalf("node remove: %v: %s", err, out)
	}
	t.Logf("4 to 3 nodes took %v", time.Since(began).Round(time.Second))
	load.finish()
	for _, n := range c.Nodes[:3] {
		eventually(t, 20*time.Second, func() error { return count(n) })
	}
	verified(t, c.Nodes[0], time.Minute)
	load.urls = urls(c)[:3]
	load.checkAll(t.Context())
	for _, w := range load.wrong {
		t.Error(w)
	}
}

func TestWipedNodeIsWholeAgain(t *testing.T) {
	c := newCluster(t, 3, 3)
	rows := fill(t, c.Nodes[0], 5, 500)
	victim := c.Nodes[1]
	victim.Kill()
	if err := victim.Wipe(); err != nil {
		t.Fatal(err)
	}
	// The place is free when the lease has ended.
	eventually(t, time.Minute, victim.Start)
	began := time.Now()
	eventually(t, 2*time.Minute, func() error { return owned(victim, 1, 3) })
	t.Logf("whole again %v after the start", time.Since(began).Round(100*time.Millisecond))
	verified(t, victim, time.Minute)
	if got := mustQuery(t, victim, "SELECT count(v) FROM old"); fmt.Sprint(got[0][1]) != fmt.Sprint(rows) {
		t.Errorf("the wiped node counts %v, want %d", got, rows)
	}
}
