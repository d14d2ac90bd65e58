package cluster

import (
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

func TestLossOfANodeUnderLoad(t *testing.T) {
	faults := []struct {
		name       string
		begin, end func(t *testing.T, n *harness.Node)
	}{
		{"kill", func(_ *testing.T, n *harness.Node) { n.Kill() }, restart},
		{"pause", func(_ *testing.T, n *harness.Node) { n.Pause() }, func(_ *testing.T, n *harness.Node) { n.Resume() }},
	}
	levels := []struct {
		name        string
		replication int
		consistency string
		strict      bool
	}{
		{"replication 2 at one", 2, "one", false},
		{"replication 3 at quorum", 3, "quorum", false},
		{"replication 3 at quorum, read at quorum", 3, "quorum", true},
	}
	for _, f := range faults {
		for _, l := range levels {
			t.Run(f.name+", "+l.name, func(t *testing.T) {
				c := newCluster(t, 3, l.replication)
				victim := c.Nodes[2]
				// The clients do not use the victim: what they see of it is its loss.
				load := startLoad(t, &load{db: "db", urls: urls(c)[:2], consistency: l.consistency, strict: l.strict}, 2, 1)
				time.Sleep(either(8*time.Second, 15*time.Second))
				before := len(load.failedAfter(0))
				f.begin(t, victim)
				lost := load.since()
				time.Sleep(either(12*time.Second, time.Minute))
				f.end(t, victim)
				back := load.since()
				time.Sleep(either(8*time.Second, 20*time.Second))
				load.finish()
				if before > 0 {
					t.Errorf("%d requests failed before the fault: %v", before, load.failures[0])
				}
				if late := load.failedAfter(lost + 5*time.Second); len(late) > 0 {
					t.Errorf("%d requests failed more than 5 s after the fault at %v (back at %v): the first %v", len(late), lost, back, late[0])
				}
				t.Logf("verified %v after the load ended", verified(t, c.Nodes[0], time.Minute))
				load.urls = urls(c)
				load.checkAll(t.Context())
				for _, w := range load.wrong {
					t.Error(w)
				}
			})
		}
	}
}

func restart(t *testing.T, n *harness.Node) {
	t.Helper()
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
}

func TestRollingRestartFailsNoRequest(t *testing.T) {
	c := newCluster(t, 3, 3)
	load := startLoad(t, &load{db: "db", urls: urls(c), consistency: "quorum"}, 2, 2)
	time.Sleep(5 * time.Second)
	for _, n := range c.Nodes {
		began := time.Now()
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
		stopped := time.Since(began)
		restart(t, n)
		t.Logf("%s: stopped in %v, ready again after %v", n.Name, stopped.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		time.Sleep(5 * time.Second)
	}
	load.finish()
	for i, f := range load.failedAfter(0) {
		if i < 5 {
			t.Errorf("a request failed after %v: %s", f.at, f.what)
		}
	}
	verified(t, c.Nodes[0], time.Minute)
}
