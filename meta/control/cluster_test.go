package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
)

// cluster is data nodes without data: they take the steps of their replicas as
// the real ones do, when what these must wait for could have come.
type cluster struct {
	t     *testing.T
	kv    *metatest.Memory
	rng   *rand.Rand
	nodes map[string]*dataNode
}

type dataNode struct {
	store *meta.Store
	fs    *vfs.Mem
	id    uint64
	stop  context.CancelFunc
	ended chan struct{}
}

func newCluster(t *testing.T, rng *rand.Rand, nodes ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, kv: metatest.NewMemory(), rng: rng, nodes: map[string]*dataNode{}}
	for _, n := range nodes {
		c.start(n)
	}
	return c
}

// start starts a node: a new one, or one that was there before. NAME@ZONE has a
// zone.
func (c *cluster) start(name string) *dataNode {
	c.t.Helper()
	n := &dataNode{fs: vfs.NewMem(), ended: make(chan struct{})}
	if before := c.nodes[name]; before != nil {
		n.fs = before.fs
	}
	var err error
	n.store, err = meta.Open(c.t.Context(), c.kv, n.fs, "meta", meta.DefaultConfig(), slog.New(slog.DiscardHandler), nil)
	c.must(err)
	spec := meta.NodeSpec{Name: name, Roles: []meta.Role{meta.RoleData}}
	if _, zone, ok := strings.Cut(name, "@"); ok {
		spec.Labels = map[string]string{meta.LabelZone: zone}
	}
	self, err := n.store.RegisterNode(c.t.Context(), spec)
	c.must(err)
	n.id = self.ID
	ctx, cancel := context.WithCancel(c.t.Context())
	n.stop = cancel
	rng := rand.New(rand.NewPCG(c.rng.Uint64(), n.id))
	go func() {
		defer close(n.ended)
		n.run(ctx, rng)
		n.store.Close()
	}()
	c.nodes[name] = n
	for _, other := range c.nodes {
		for other.runs() && !other.store.Snapshot().Alive(n.id) {
			time.Sleep(time.Millisecond)
		}
	}
	return n
}

func (n *dataNode) runs() bool {
	select {
	case <-n.ended:
		return false
	default:
		return true
	}
}

// kill ends a node, which may be started again.
func (c *cluster) kill(name string) {
	c.nodes[name].stop()
	<-c.nodes[name].ended
}

func (c *cluster) end() {
	for name := range c.nodes {
		c.kill(name)
	}
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// run takes a step of each replica that comes or goes, each after a while.
func (n *dataNode) run(ctx context.Context, rng *rand.Rand) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(rng.IntN(2000)) * time.Millisecond):
		}
		now := n.store.Snapshot()
		for g := range now.AllGroups {
			for _, sh := range g.Shards {
				for _, o := range sh.Owners {
					if o.Node == n.id && g.Live() {
						n.step(ctx, now, &sh, o.State)
					}
				}
			}
		}
	}
}

func (n *dataNode) step(ctx context.Context, now *meta.Snapshot, sh *meta.Shard, state meta.OwnerState) {
	active, alive := 0, 0
	for _, o := range sh.Owners {
		if o.State == meta.Active {
			active++
			if now.Alive(o.Node) {
				alive++
			}
		}
	}
	switch {
	case state == meta.Rebuild:
		n.store.Rejoin(ctx, sh.ID, n.id)
	case state == meta.Joining && alive > 0: // it copies from those that are there
		n.store.Activate(ctx, sh.ID, n.id)
	case state == meta.Leaving && alive == active: // all must know
		n.store.Leave(ctx, sh.ID, n.id)
	}
}

// groups makes n groups of a database with that factor, 0 for auto.
func (c *cluster) groups(s *meta.Store, database string, factor, n int) {
	c.t.Helper()
	spec := &meta.PolicySpec{ShardDuration: time.Hour}
	if factor > 0 {
		spec.Replicas = &factor
	}
	c.must(s.CreateDatabase(c.t.Context(), database, spec))
	policy := s.Snapshot().Database(database).Policy("").UID
	for i := range n {
		_, err := s.EnsureGroup(c.t.Context(), policy, int64(i)*int64(time.Hour))
		c.must(err)
	}
}

// control runs a Controller on a Store of its own until ctx ends.
func (c *cluster) control(ctx context.Context, kv meta.KV, cfg Config, measure Measure) (ended chan struct{}) {
	c.t.Helper()
	s, err := meta.Open(c.t.Context(), kv, vfs.NewMem(), "meta", meta.DefaultConfig(), slog.New(slog.DiscardHandler), nil)
	c.must(err)
	controller, err := New(s, cfg, slog.New(slog.DiscardHandler), nil)
	c.must(err)
	controller.MeasureBy(measure)
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		controller.Run(ctx)
		s.Close()
	}()
	return ended
}

// mortal is a KV that stops to answer for ever at a chosen transaction, before
// or after that was made: so ends a process that is killed.
type mortal struct {
	meta.KV
	left  atomic.Int64 // transactions
	after bool         // the last one is made
	dead  chan struct{}
}

var errDead = errors.New("killed")

func (m *mortal) Txn(ctx context.Context, when []meta.Condition, ops []meta.Op) (ok bool, revision int64, err error) {
	left := m.left.Add(-1)
	if left == 0 && m.after {
		m.KV.Txn(ctx, when, ops)
	}
	if left == 0 {
		close(m.dead)
	}
	if left <= 0 {
		return false, 0, errDead
	}
	return m.KV.Txn(ctx, when, ops)
}

func (m *mortal) Renew(ctx context.Context, lease int64) error {
	if m.left.Load() <= 0 {
		return errDead
	}
	return m.KV.Renew(ctx, lease)
}

func (m *mortal) Revoke(ctx context.Context, lease int64) error {
	if m.left.Load() <= 0 {
		return errDead
	}
	return m.KV.Revoke(ctx, lease)
}

// controlMortally runs one Controller after the other, each of which is killed
// after some transactions, until ctx ends. It gives how many there were.
func (c *cluster) controlMortally(ctx context.Context, cfg Config) (ended chan int) {
	ended = make(chan int, 1)
	rng := rand.New(rand.NewPCG(c.rng.Uint64(), 0))
	go func() {
		killed := 0
		for ctx.Err() == nil {
			m := &mortal{KV: c.kv, after: rng.IntN(2) == 0, dead: make(chan struct{})}
			m.left.Store(int64(1 + rng.IntN(15)))
			life, cancel := context.WithCancel(ctx)
			done := c.control(life, m, cfg, nil)
			select {
			case <-m.dead:
				killed++
			case <-ctx.Done():
				m.left.Store(0)
			}
			cancel()
			<-done
		}
		ended <- killed
	}()
	return ended
}

// settle waits until every shard has as many active owners as it is to have and
// no others, and no move is in progress.
func (c *cluster) settle(s *meta.Store, within time.Duration) {
	c.t.Helper()
	for began := time.Now(); ; time.Sleep(time.Second) {
		c.must(s.Refresh(c.t.Context()))
		why := unsettled(s.Snapshot())
		if why == "" {
			return
		}
		if time.Since(began) > within {
			c.t.Fatalf("not settled after %s: %s", within, why)
		}
	}
}

func unsettled(now *meta.Snapshot) string {
	if len(now.Moves()) > 0 {
		return fmt.Sprintf("%d moves, the first %+v", len(now.Moves()), *now.Moves()[0])
	}
	if now.Rebalance() != nil {
		return "a rebalance is under way"
	}
	for g := range now.AllGroups {
		for _, sh := range g.Shards {
			if !g.Live() {
				continue
			}
			if len(sh.Owners) != now.Wanted(sh.ID) {
				return fmt.Sprintf("shard %d has owners %v, want %d", sh.ID, sh.Owners, now.Wanted(sh.ID))
			}
			for _, o := range sh.Owners {
				if o.State != meta.Active || !now.Alive(o.Node) || now.Node(o.Node).Draining {
					return fmt.Sprintf("shard %d has owners %v", sh.ID, sh.Owners)
				}
			}
		}
	}
	return ""
}

// load counts the replicas of each node.
func (c *cluster) load(now *meta.Snapshot) map[string]int {
	load := map[string]int{}
	for name, n := range c.nodes {
		load[name] = 0
		for g := range now.AllGroups {
			for _, sh := range g.Shards {
				for _, o := range sh.Owners {
					if o.Node == n.id {
						load[name]++
					}
				}
			}
		}
	}
	return load
}

// neverBelow fails when at any revision a shard that had so many active owners
// has fewer.
func (c *cluster) neverBelow(least int) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	had := map[uint64]bool{}
	for _, change := range (<-c.kv.Watch(ctx, "/varve/varve/groups/", 1)).Changes {
		var shards []meta.Shard
		if change.Removed {
			continue
		}
		c.must(json.Unmarshal(change.Value, &struct{ Shards *[]meta.Shard }{&shards}))
		for _, sh := range shards {
			active := 0
			for _, o := range sh.Owners {
				if o.State == meta.Active {
					active++
				}
			}
			if active < least && had[sh.ID] {
				c.t.Errorf("revision %d: shard %d has owners %v", change.Modified, sh.ID, sh.Owners)
			}
			had[sh.ID] = had[sh.ID] || active >= least
		}
	}
}

// throttled fails when at any revision more replicas were being copied than the
// settings allow.
func (c *cluster) throttled(cfg Config) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	joins := map[uint64][]uint64{} // by shard
	for _, change := range (<-c.kv.Watch(ctx, "/varve/varve/groups/", 1)).Changes {
		var shards []meta.Shard
		if change.Removed {
			continue
		}
		c.must(json.Unmarshal(change.Value, &struct{ Shards *[]meta.Shard }{&shards}))
		for _, sh := range shards {
			joins[sh.ID] = nil
			for _, o := range sh.Owners {
				if o.State == meta.Joining {
					joins[sh.ID] = append(joins[sh.ID], o.Node)
				}
			}
		}
		all, per := 0, map[uint64]int{}
		for _, nodes := range joins {
			for _, n := range nodes {
				all++
				per[n]++
				if per[n] > cfg.MovesPerNode {
					c.t.Fatalf("revision %d: %d replicas are copied to node %d", change.Modified, per[n], n)
				}
			}
		}
		if all > cfg.MovesAtOnce {
			c.t.Fatalf("revision %d: %d replicas are copied", change.Modified, all)
		}
	}
}
