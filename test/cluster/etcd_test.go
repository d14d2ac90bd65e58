package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

func TestWritesAndReadsGoOnWithoutEtcd(t *testing.T) {
	etcds := harness.StartEtcds(t, 3)
	var endpoints []string
	for _, e := range etcds {
		endpoints = append(endpoints, e.Endpoint)
	}
	c := harness.NewCluster(t, binaries.varved)
	c.Start(3, "--etcd-endpoints", strings.Join(endpoints, ","))
	mustQuery(t, c.Nodes[0], "CREATE DATABASE db WITH REPLICATION 3 SHARD DURATION 1h")
	// A row in the present group makes the next one be made ahead of its time.
	present := time.Now()
	// The load, too, gets there in the end: its field must be known.
	if err := c.Nodes[0].Write("db", fmt.Sprintf("cross,k=0 v=0 %[1]d\nload,writer=none v=0i %[1]d", present.UnixNano())); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() error {
		all, err := listShards(c.Nodes[0])
		if err == nil && len(all) < 2 {
			err = fmt.Errorf("%d groups", len(all))
		}
		return err
	})
	load := startLoad(t, &load{db: "db", urls: urls(c), consistency: "quorum"}, 2, 1)
	time.Sleep(5 * time.Second)
	for _, e := range etcds {
		e.Stop()
	}
	gone := load.since()
	next := present.Truncate(time.Hour).Add(time.Hour)
	end := time.Now().Add(either(30*time.Second, 10*time.Minute))
	rows := 0
	for time.Now().Before(end) {
		// Over the boundary and back, again and again.
		for i, at := range []time.Time{next.Add(-time.Duration(rows+1) * time.Millisecond), next.Add(time.Duration(rows) * time.Millisecond)} {
			n := c.Nodes[(rows+i)%3]
			if err := n.Write("db", fmt.Sprintf("cross,k=1 v=%d %d", rows, at.UnixNano())); err != nil {
				t.Fatalf("%s: a write to %v with etcd away: %v", n.Name, at, err)
			}
		}
		rows++
		time.Sleep(50 * time.Millisecond)
	}
	for i, n := range c.Nodes {
		began := time.Now()
		_, err := n.Query("", fmt.Sprintf("CREATE DATABASE other%d", i))
		took := time.Since(began)
		if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "metadata store unavailable") || took > 5*time.Second {
			t.Errorf("%s: CREATE DATABASE with etcd away gave %v in %v", n.Name, err, took)
		}
		if got, err := n.Query("db", "SELECT count(v) FROM cross WHERE k = '1'"); err != nil || got[0][1] != float64(2*rows) {
			t.Errorf("%s counts %v, %v; want %d", n.Name, got, err, 2*rows)
		}
	}
	if late := load.failedAfter(gone); len(late) > 0 {
		t.Errorf("%d requests failed while etcd was away: the first %v", len(late), late[0])
	}
	for _, e := range etcds {
		e.Start()
	}
	eventually(t, 30*time.Second, func() error {
		_, err := c.Nodes[0].Query("", "CREATE DATABASE after")
		return err
	})
	for _, n := range c.Nodes {
		eventually(t, 10*time.Second, func() error { return n.Write("after", "m v=1") })
	}
	load.finish()
	t.Logf("etcd was away for %v; %d rows on each side of the boundary", either("30 s", "10 min"), rows)
	verified(t, c.Nodes[0], time.Minute)
}
