package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

func TestRolesApart(t *testing.T) {
	c := harness.NewCluster(t, binaries.varved)
	c.Start(3, "--roles", "meta")
	c.Start(3, "--roles", "data")
	c.Start(2, "--roles", "coordinator")
	first, second := c.Nodes[6], c.Nodes[7]
	mustQuery(t, first, "CREATE DATABASE db")
	load := startLoad(t, &load{db: "db", urls: []string{first.URL, second.URL}, consistency: "quorum"}, 2, 1)
	time.Sleep(8 * time.Second)
	victim := c.Nodes[4]
	victim.Kill()
	lost := load.since()
	time.Sleep(either(12*time.Second, 40*time.Second))
	restart(t, victim)
	time.Sleep(8 * time.Second)
	load.finish()
	if late := load.failedAfter(lost + 5*time.Second); len(late) > 0 {
		t.Errorf("%d requests failed more than 5 s after a data node was lost: the first %v", len(late), late[0])
	}
	verified(t, first, time.Minute)
	for i, n := range c.Nodes {
		shards, err := filepath.Glob(filepath.Join(n.Dir, "shards", "0*"))
		if err != nil {
			t.Fatal(err)
		}
		if isData := i >= 3 && i < 6; isData != (len(shards) > 0) {
			t.Errorf("%s (%v) has the shards %v", n.Name, n.Flags, shards)
		}
	}
	for _, n := range []*harness.Node{first, second} {
		if rows := mustQuery(t, n, "SELECT count(v) FROM load"); len(rows) != 1 || fmt.Sprint(rows[0][1]) == "0" {
			t.Errorf("%s counts %v", n.Name, rows)
		}
	}
	if _, err := os.Stat(filepath.Join(first.Dir, "meta", "etcd")); err == nil {
		t.Error("a coordinator keeps an etcd")
	}
}
