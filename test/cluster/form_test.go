package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

func TestWriteToAnyIsReadFromAll(t *testing.T) {
	c := newCluster(t, 3, 0)
	for i, n := range c.Nodes {
		if err := n.Write("db", fmt.Sprintf("m,host=h%d v=%d %d", i, i, time.Now().UnixNano())); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range c.Nodes {
		eventually(t, 10*time.Second, func() error {
			rows, err := n.Query("db", "SELECT v FROM m")
			if err == nil && len(rows) != 3 {
				err = fmt.Errorf("%s has %v", n.Name, rows)
			}
			return err
		})
	}
	t.Logf("verified after %v", verified(t, c.Nodes[1], time.Minute))
}

func TestDataFollowsTheNodes(t *testing.T) {
	c := newCluster(t, 1, 0)
	const groups = 5
	for i := range groups {
		at := time.Now().Add(-time.Duration(i) * 8 * 24 * time.Hour)
		if err := c.Nodes[0].Write("db", fmt.Sprintf("m,host=h%d v=%d %d", i, i, at.UnixNano())); err != nil {
			t.Fatal(err)
		}
	}
	c.Start(2)
	began := time.Now()
	for _, n := range c.Nodes {
		eventually(t, 90*time.Second, func() error { return owned(n, groups, 3) })
	}
	t.Logf("every shard had three owners %v after the third node was ready", time.Since(began).Round(100*time.Millisecond))
	verified(t, c.Nodes[2], time.Minute)
	for _, n := range c.Nodes {
		if rows := mustQuery(t, n, "SELECT v FROM m"); len(rows) != groups {
			t.Errorf("%s has %v", n.Name, rows)
		}
	}
}

func TestQueriesAreCompleteWithFewerReplicasThanNodes(t *testing.T) {
	for _, replication := range []int{1, 2} {
		t.Run(fmt.Sprintf("replication %d", replication), func(t *testing.T) {
			c := newCluster(t, 3, replication)
			const series = 60
			lines := ""
			now := time.Now().UnixNano()
			for i := range series {
				lines += fmt.Sprintf("m,host=h%d v=%d %d\n", i, i, now)
			}
			if err := c.Nodes[0].Write("db", lines); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second) // what a read may lag at level one
			short := 0
			for _, n := range c.Nodes {
				for range 100 {
					rows, err := n.Query("db", "SELECT count(v) FROM m")
					if err != nil || len(rows) != 1 || fmt.Sprint(rows[0][1]) != fmt.Sprint(series) {
						short++
						t.Errorf("%s: %v %v", n.Name, rows, err)
					}
				}
				if rows := mustQuery(t, n, "SHOW SERIES"); len(rows) != series {
					t.Errorf("%s: SHOW SERIES gave %d, want %d", n.Name, len(rows), series)
				}
			}
			t.Logf("%d of 300 answers were incomplete", short)
		})
	}
}

// owned reports unless there are so many shards, each with so many active owners.
func owned(n *harness.Node, shards, owners int) error {
	all, err := listShards(n)
	if err != nil {
		return err
	}
	live := 0
	for _, s := range all {
		active := 0
		for _, o := range s.Owners {
			if o.State == "active" {
				active++
			}
		}
		if active != owners || len(s.Owners) != owners {
			return fmt.Errorf("shard %d has the owners %v", s.ID, s.Owners)
		}
		live++
	}
	if live < shards {
		return fmt.Errorf("%d shards", live)
	}
	return nil
}
