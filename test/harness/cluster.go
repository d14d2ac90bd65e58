package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// Cluster is servers on this machine that form one cluster. Each has an address
// of its own, of loopback or of a Network, so all use the usual ports and keep
// them over restarts.
type Cluster struct {
	Nodes []*Node

	t       testing.TB
	binary  string
	dir     string
	host    string // addresses, but for the last number
	network *Network
}

// Node is a member of a Cluster.
type Node struct {
	*Process // nil until it has been started; the last run afterwards

	Name    string
	Host    string
	Dir     string
	Flags   []string // of every start
	Join    []string // of the first start
	started bool
	cluster *Cluster
}

// clusters counts those of this process.
var clusters atomic.Int32

// NewCluster gives a cluster without nodes on addresses of loopback. What runs
// is ended, and what it said is logged if the test has failed, when t ends.
func NewCluster(t testing.TB, binary string) *Cluster {
	t.Helper()
	number := os.Getpid()*8 + int(clusters.Add(1))
	c := &Cluster{t: t, binary: binary, dir: t.TempDir(), host: fmt.Sprintf("127.%d.%d.", 1+number>>8&0x7f, number&0xff)}
	t.Cleanup(c.end)
	return c
}

// NewClusterIn is NewCluster with a namespace of network for each node.
func NewClusterIn(t testing.TB, binary string, network *Network) *Cluster {
	t.Helper()
	c := &Cluster{t: t, binary: binary, dir: t.TempDir(), host: network.host, network: network}
	t.Cleanup(c.end)
	return c
}

func (c *Cluster) end() {
	for _, n := range c.Nodes {
		if n.Process == nil {
			continue
		}
		n.Resume()
		n.Kill()
		if c.t.Failed() {
			c.t.Logf("%s said:\n%s", n.Name, n.Log())
		}
	}
}

// Add adds a node, which is not started yet. It is told to join the first one.
func (c *Cluster) Add(flags ...string) *Node {
	i := len(c.Nodes) + 1
	n := &Node{Name: fmt.Sprintf("n%d", i), Host: fmt.Sprintf("%s%d", c.host, i), Flags: flags, cluster: c}
	n.Dir = filepath.Join(c.dir, n.Name)
	if i > 1 {
		n.Join = []string{"--join", c.Nodes[0].RPC()}
	}
	if c.network != nil {
		c.network.add(n.Host, i)
	}
	c.Nodes = append(c.Nodes, n)
	return n
}

// Start adds nodes and starts them one after the other.
func (c *Cluster) Start(n int, flags ...string) {
	c.t.Helper()
	for range n {
		if err := c.Add(flags...).Start(); err != nil {
			c.t.Fatal(err)
		}
	}
}

// RPC gives the address at which other nodes reach it.
func (n *Node) RPC() string { return n.Host + ":8088" }

// Start starts the node and waits until it is ready. It is told whom to join
// the first time only.
func (n *Node) Start() error {
	args := append([]string{
		"--data-dir", n.Dir, "--node-name", n.Name,
		"--http-bind-address", n.Host + ":8086", "--rpc-bind-address", n.RPC(),
	}, n.Flags...)
	if !n.started {
		args = append(args, n.Join...)
	}
	return n.StartWith(args)
}

// StartWith starts the node with these arguments and no others.
func (n *Node) StartWith(args []string) error {
	cmd := exec.Command(n.cluster.binary, args...)
	if n.cluster.network != nil {
		cmd = n.cluster.network.command(n.Host, cmd)
	}
	p, err := Run(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	n.Process, n.started = p, true
	return nil
}

// Wipe removes what a stopped node keeps; its next start is a first one.
func (n *Node) Wipe() error {
	n.started = false
	return os.RemoveAll(n.Dir)
}

// Pause stops the process without ending it, as a long pause does.
func (n *Node) Pause() { n.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (n *Node) Resume() { n.signal(syscall.SIGCONT) }

func (n *Node) signal(s syscall.Signal) {
	if n.Process != nil {
		_ = n.cmd.Process.Signal(s) // it may have ended
	}
}

// Network is namespaces of the kernel with one link each to a common bridge, so
// that the way between two nodes can be cut in one direction. It needs root.
type Network struct {
	t     testing.TB
	name  string // of the bridge, and before the numbers of namespaces
	host  string // addresses, but for the last number
	names map[string]string
}

// NewNetwork gives a network without nodes. t is skipped where there cannot be
// one.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"ip", "iptables"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("network namespaces need the command %s", tool)
		}
	}
	number := os.Getpid()*8 + int(clusters.Add(1))
	w := &Network{t: t, name: fmt.Sprintf("vv%x", number), host: fmt.Sprintf("10.%d.%d.", 64+number>>8&0x3f, number&0xff), names: make(map[string]string)}
	if out, err := exec.Command("ip", "link", "add", w.name, "type", "bridge").CombinedOutput(); err != nil {
		t.Skipf("no bridge can be made: %s", out)
	}
	t.Cleanup(w.remove)
	w.run("ip", "addr", "add", w.host+"254/24", "dev", w.name)
	w.run("ip", "link", "set", w.name, "up")
	return w
}

func (w *Network) run(args ...string) {
	w.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// add makes a namespace with that address.
func (w *Network) add(host string, i int) {
	w.t.Helper()
	ns := fmt.Sprintf("%s-%d", w.name, i)
	w.names[host] = ns
	outer := fmt.Sprintf("%s.%d", w.name, i)
	w.run("ip", "netns", "add", ns)
	w.run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", ns)
	w.run("ip", "link", "set", outer, "master", w.name, "up")
	w.run("ip", "-n", ns, "addr", "add", host+"/24", "dev", "eth0")
	w.run("ip", "-n", ns, "link", "set", "eth0", "up")
	w.run("ip", "-n", ns, "link", "set", "lo", "up")
}

// command makes a command that runs in the namespace of an address.
func (w *Network) command(host string, cmd *exec.Cmd) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", w.names[host]}, cmd.Args...)...)
}

// Cut drops all that goes from one node to another, in this direction.
func (w *Network) Cut(from, to *Node) {
	w.t.Helper()
	w.run("ip", "netns", "exec", w.names[to.Host], "iptables", "-A", "INPUT", "-s", from.Host, "-j", "DROP")
}

// Isolate cuts a node off from the others, in both directions.
func (w *Network) Isolate(n *Node, others ...*Node) {
	w.t.Helper()
	for _, o := range others {
		w.Cut(n, o)
		w.Cut(o, n)
	}
}

// Heal undoes all cuts.
func (w *Network) Heal() {
	w.t.Helper()
	for _, ns := range w.names {
		w.run("ip", "netns", "exec", ns, "iptables", "-F", "INPUT")
	}
}

// remove gives all back. A namespace that a process still runs in goes with it.
func (w *Network) remove() {
	for _, ns := range w.names {
		_ = exec.Command("ip", "netns", "del", ns).Run() // the link goes with it
	}
	_ = exec.Command("ip", "link", "del", w.name).Run()
}
