package main

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

var onCluster = flag.Bool("cluster", false, "send the cases to a cluster, too")

// TestVarvedAnswersAsInfluxDB sends every case to a varved of its own and
// compares with what InfluxDB 1.8.10 was recorded to answer. What differs and
// is explained in allow.txt is printed and does not fail.
func TestVarvedAnswersAsInfluxDB(t *testing.T) {
	server, err := harness.Start(harness.Build(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	compareWithRecorded(t, config{allow: "allow.txt"}, server)
}

// TestVarvedWithAuthenticationAnswersAsInfluxDB sends the suite auth.
func TestVarvedWithAuthenticationAnswersAsInfluxDB(t *testing.T) {
	server := started(t)(harness.Start(harness.Build(t), t.TempDir(), "--http-auth-enabled", "true"))
	compareRecorded(t, config{suite: "auth", noData: true, golden: "golden/auth-1.8.10.gz", allow: "allow-auth.txt"}, server)
}

// TestClusterAnswersAsInfluxDB sends every case to one of three nodes, in turn.
// There is one copy of each shard, so that two thirds of what is asked of a node
// are elsewhere.
//
// Which series share a shard is drawn when a cluster is made, and with it what a
// selector takes among rows of equal value or time. A run may differ in one more
// of the cases of that kind than allow-cluster.txt has, so it is not for every run.
func TestClusterAnswersAsInfluxDB(t *testing.T) {
	if !*onCluster {
		t.Skip("what is taken among equal rows depends on chance: make compat runs it, and a person looks")
	}
	cluster := harness.NewCluster(t, harness.Build(t))
	cluster.Start(3, "--default-replication", "1")
	var servers []*harness.Process
	for _, n := range cluster.Nodes {
		servers = append(servers, n.Process)
	}
	compareWithRecorded(t, config{allow: "allow.txt,allow-cluster.txt", ties: true, settle: 50 * time.Millisecond}, servers...)
}

func compareWithRecorded(t *testing.T, c config, servers ...*harness.Process) {
	t.Helper()
	c.golden, c.gen, c.seed = "golden/golden-1.8.10.gz", 600, 1
	compareRecorded(t, c, servers...)
}

// compareRecorded sends the cases of c and compares with the answers in its file.
func compareRecorded(t *testing.T, c config, servers ...*harness.Process) {
	t.Helper()
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.URL)
	}
	c.b = strings.Join(urls, ",")
	c.tol, c.timeout, c.maxShow = 1e-9, 30*time.Second, 3
	code := run(c)
	if code == 0 {
		return
	}
	t.Errorf("influxdiff ended with %d: see the differences above", code)
	for _, s := range servers {
		t.Logf("%s said:\n%s", s.URL, s.Log())
	}
}
