package cluster

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

var (
	binary = flag.String("binary", "", "the varved to run; built when empty")
	long   = flag.Bool("long", false, "run for as long as the closing figures want")
)

// binaries holds what TestMain has built.
var binaries struct{ varved, varve string }

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "varve-cluster")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	build := exec.Command("go", "build", "-o", dir+"/", "github.com/varvedb/varve/cmd/varved", "github.com/varvedb/varve/cmd/varve")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	binaries.varved, binaries.varve = dir+"/varved", dir+"/varve"
	if *binary != "" {
		binaries.varved = *binary
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// either gives the second of two figures in a long run.
func either[T any](short, most T) T {
	if *long {
		return most
	}
	return short
}

// cluster starts nodes on loopback with a database db.
func newCluster(t *testing.T, nodes int, replication int, flags ...string) *harness.Cluster {
	t.Helper()
	c := harness.NewCluster(t, binaries.varved)
	c.Start(nodes, flags...)
	create(t, c, replication)
	return c
}

// create makes the database db; replication 0 is the server's choice.
func create(t *testing.T, c *harness.Cluster, replication int) {
	t.Helper()
	q := "CREATE DATABASE db"
	if replication > 0 {
		q += fmt.Sprintf(" WITH REPLICATION %d", replication)
	}
	mustQuery(t, c.Nodes[0], q)
}

func mustQuery(t *testing.T, n *harness.Node, q string) [][]any {
	t.Helper()
	rows, err := n.Query("db", q)
	if err != nil {
		t.Fatalf("%s: %s: %v", n.Name, q, err)
	}
	return rows
}

func urls(c *harness.Cluster) []string {
	var all []string
	for _, n := range c.Nodes {
		all = append(all, n.URL)
	}
	return all
}

// ctl runs varve ctl against a node and gives what it printed.
func ctl(n *harness.Node, args ...string) (string, error) {
	out, err := exec.Command(binaries.varve, append([]string{"ctl", "--host", n.URL}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// eventually waits for f to give no error.
func eventually(t *testing.T, within time.Duration, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("not within %v: %v", within, err)
}

// verified waits until ctl verify finds all replicas equal, and gives how long
// that took.
func verified(t *testing.T, n *harness.Node, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, within, func() error {
		if out, err := ctl(n, "verify"); err != nil {
			return fmt.Errorf("verify: %w\n%s", err, out)
		}
		return nil
	})
	return time.Since(began)
}
