package answers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/querytest"
)

// cluster is nodes of one cluster. It implements querytest.Database: every
// write and every request goes to another node.
type cluster struct {
	t        testing.TB
	nodes    []*node
	parser   *lineprotocol.Parser
	replicas int
	turn     int

	written func(c *cluster) // after every write
	shards  time.Duration    // of a shard group, in databases that Write makes; 0 for the default
}

type node struct {
	c     *cluster
	disk  *vfs.Mem
	store *meta.Store
	id    uint64
	clock *hlc.Clock
	pool  *rpc.Pool
	rpc   *rpc.Server

	// Of one run.
	data     *data.Node
	writer   *coordinator.Writer
	executor *query.Executor
}

var log = slog.New(slog.DiscardHandler)

// newCluster gives so many nodes whose databases have so many replicas.
func newCluster(t testing.TB, nodes, replicas int) *cluster {
	t.Helper()
	c := &cluster{t: t, replicas: replicas}
	kv := metatest.NewMemory()
	for i := range nodes {
		n := &node{c: c, disk: vfs.NewMem()}
		c.nodes = append(c.nodes, n)
		n.enter(kv, fmt.Sprintf("n%d", i+1))
	}
	lines := lineprotocol.DefaultConfig()
	lines.HashSeed = c.nodes[0].store.Snapshot().HashSeed()
	c.parser = lineprotocol.NewParser(lines)
	for _, n := range c.nodes {
		n.start()
		if nodes > 1 {
			data.Serve(n.rpc, n.data)
		}
	}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.stop()
		}
	})
	return c
}

// enter makes the node one of the cluster.
func (n *node) enter(kv *metatest.Memory, name string) {
	t := n.c.t
	t.Helper()
	cfg := meta.DefaultConfig()
	cfg.DefaultReplication = n.c.replicas
	var err error
	if n.store, err = meta.Open(context.Background(), kv, n.disk, "meta", cfg, log, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.store.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	self, err := n.store.RegisterNode(context.Background(), meta.NodeSpec{
		Name: name, Roles: []meta.Role{meta.RoleData, meta.RoleCoordinator}, Version: "test", Addresses: meta.Addresses{RPC: l.Addr().String()},
	})
	if err != nil {
		t.Fatal(err)
	}
	n.id = self.ID
	if n.clock, err = hlc.Open(n.disk, "", nil); err != nil {
		t.Fatal(err)
	}
	id := rpc.Identity{Cluster: n.store.Snapshot().ClusterID(), Node: n.id}
	if n.rpc, err = rpc.NewServer(rpc.DefaultConfig(), id, nil, log, nil); err != nil {
		t.Fatal(err)
	}
	if n.pool, err = rpc.NewPool(rpc.DefaultConfig(), id, nil, log, nil); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- n.rpc.Serve(l) }()
	t.Cleanup(func() {
		n.pool.Close()
		n.rpc.Close()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// Owner implements data.Directory.
func (n *node) Owner(id uint64) data.Owner {
	if info := n.store.Snapshot().Node(id); info != nil && id != n.id {
		return data.NewClient(n.pool.Node(id, info.Addresses.RPC))
	}
	return nil
}

// start opens the shards, and what takes writes and queries.
func (n *node) start() {
	t := n.c.t
	t.Helper()
	cfg := data.DefaultConfig()
	cfg.TellEvery = 5 * time.Millisecond
	var err error
	if n.data, err = data.Open(n.disk, "shards", cfg, n.store, n.clock, n, log, nil); err != nil {
		t.Fatal(err)
	}
	nodes := coordinator.NewNodes(n.id, n.data, n.store, n.pool)
	level := coordinator.DefaultConfig()
	level.Level = coordinator.All // what was written is read, whoever is asked
	if n.writer, err = coordinator.NewWriter(level, n.store, n.clock, nodes, log, nil); err != nil {
		t.Fatal(err)
	}
	n.data.SetAnew(n.writer.WriteAnew)
	reader, err := coordinator.NewReader(coordinator.DefaultConfig(), n.store, nodes, n.writer, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n.executor, err = query.New(query.DefaultConfig(), coordinator.NewCatalog(n.store), reader, log, nil); err != nil {
		t.Fatal(err)
	}
	n.executor.WriteTo(coordinator.NewInto(n.writer))
}

// stop flushes the shards and closes them.
func (n *node) stop() {
	n.writer.Close()
	if err := n.data.Close(); err != nil {
		n.c.t.Errorf("close: %v", err)
	}
}

// next gives the node whose turn it is.
func (c *cluster) next() *node {
	c.turn++
	return c.nodes[c.turn%len(c.nodes)]
}

// Write implements querytest.Database.
func (c *cluster) Write(database, policy string, lines []byte) error {
	ctx := c.t.Context()
	n := c.next()
	if _, err := n.store.Database(ctx, database); errors.Is(err, model.ErrNotFound) {
		spec := &meta.PolicySpec{Replicas: &c.replicas, ShardDuration: c.shards}
		if err := n.store.CreateDatabase(ctx, database, spec); err != nil {
			return err
		}
	}
	parsed, err := c.parser.Parse(lines, lineprotocol.Options{Now: querytest.Now})
	if err != nil {
		return err
	}
	if err := n.writer.Write(ctx, coordinator.WriteRequest{Database: database, Policy: policy, Batch: parsed.Batch}); err != nil {
		return err
	}
	c.written(c)
	return parsed.Err
}

// Query implements querytest.Database.
func (c *cluster) Query(r query.Request, sink query.Sink) error {
	return querytest.Execute(c.next().executor, r, sink)
}

// flush puts all that was written into a file of its own.
func (c *cluster) flush() {
	for _, n := range c.nodes {
		n.stop()
		n.start()
	}
}

// compact makes one file of every shard.
func (c *cluster) compact() {
	c.t.Helper()
	for _, n := range c.nodes {
		for g := range n.store.Snapshot().AllGroups {
			for _, sh := range g.Shards {
				ref := data.ShardRef{Database: g.Database, Policy: g.Policy, Group: g.ID, Shard: sh.ID}
				if err := n.data.Compact(c.t.Context(), ref); g.DeletedAt == 0 && err != nil {
					c.t.Fatalf("compact: %v", err)
				}
			}
		}
	}
}

// place is where the rows of a test are.
type place struct {
	name            string
	nodes, replicas int
	written         func(c *cluster)
}

// places gives the places; r decides where it is by chance.
func places(r *rand.Rand) []place {
	return []place{
		{"in memory", 1, 1, func(*cluster) {}},
		{"in files", 1, 1, (*cluster).flush},
		{"compacted", 1, 1, (*cluster).compact},
		{"in memory and files", 1, 1, func(c *cluster) {
			switch r.IntN(4) {
			case 0:
				c.flush()
			case 1:
				c.compact()
			}
		}},
		{"on three nodes", 3, 2, func(*cluster) {}},
	}
}

func (p place) open(t testing.TB) *cluster {
	t.Helper()
	c := newCluster(t, p.nodes, p.replicas)
	c.written = p.written
	return c
}
