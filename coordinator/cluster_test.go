package coordinator

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// peer is a data node that keeps what it is sent and answers what it is told.
type peer struct {
	write func(ctx context.Context, shard data.ShardRef, b *model.Batch) error // nil: success
	held  func(heldBy uint64) error                                            // of a batch that another holds; nil: success
	scan  func(emit func(*exec.Partial) error) error
	read  func(ctx context.Context, r data.ReadRef) error // before any answer to a read
	list  func()                                          // called by List when set
	err   error                                           // of List and Schema
	has   *model.BatchSet

	roomWait func(ctx context.Context) error                                           // the failure of Room, when set
	room     func(limits model.SeriesLimits, series []model.Series) (data.Room, error) // nil: for everything

	mu      sync.Mutex
	batches map[uint64][]*model.Batch // by shard
}

func (p *peer) Write(ctx context.Context, shard data.ShardRef, b *model.Batch, heldBy uint64) error {
	switch {
	case heldBy != 0 && p.held != nil:
		if err := p.held(heldBy); err != nil {
			return err
		}
	case p.write != nil:
		if err := p.write(ctx, shard, b); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.batches == nil {
		p.batches = make(map[uint64][]*model.Batch)
	}
	p.batches[shard.Shard] = append(p.batches[shard.Shard], b)
	return nil
}

func (p *peer) Scan(ctx context.Context, r data.ReadRef, _ *plan.Fragment, emit func(*exec.Partial) error) error {
	if err := p.reads(ctx, r); err != nil {
		return err
	}
	return p.scan(emit)
}

func (p *peer) reads(ctx context.Context, r data.ReadRef) error {
	if p.read == nil {
		return nil
	}
	return p.read(ctx, r)
}

func (p *peer) List(ctx context.Context, r data.ReadRef, _ *exec.ListRequest) (*exec.List, error) {
	if err := p.reads(ctx, r); err != nil {
		return nil, err
	}
	if p.list != nil {
		p.list()
	}
	return &exec.List{}, p.err
}

func (p *peer) Schema(ctx context.Context, r data.ReadRef, _ *model.Predicate) ([]data.Measurement, error) {
	if err := p.reads(ctx, r); err != nil {
		return nil, err
	}
	return []data.Measurement{{Name: "m", Fields: []model.Field{{Name: "v", Type: model.Float}}, Tags: []string{"t"}}}, p.err
}

func (p *peer) Room(ctx context.Context, _ data.ShardRef, limits model.SeriesLimits, series []model.Series) (data.Room, error) {
	if p.roomWait != nil {
		return data.Room{}, p.roomWait(ctx)
	}
	if p.room == nil {
		return data.Room{Left: math.MaxInt64}, nil
	}
	return p.room(limits, series)
}

func (p *peer) Applied(context.Context, data.ShardRef) (*model.BatchSet, error) {
	if p.has != nil {
		return p.has, p.err
	}
	return &model.BatchSet{}, p.err
}

// ring is the nodes of a test.
type ring struct {
	local uint64

	mu    sync.Mutex
	nodes map[uint64]data.Peer
}

func (r *ring) Local() uint64 { return r.local }

func (r *ring) Peer(node uint64) data.Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes[node]
}

// reach makes a node reachable, or with nil not.
func (r *ring) reach(node uint64, p data.Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p == nil {
		delete(r.nodes, node)
		return
	}
	r.nodes[node] = p
}

// all gives what the peer keeps, in order of the batches' versions.
func (p *peer) all() []*model.Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*model.Batch
	for _, b := range p.batches {
		all = append(all, b...)
	}
	slices.SortFunc(all, func(a, b *model.Batch) int { return a.Version.Compare(b.Version) })
	return all
}

// cluster is a Writer and a Reader over peers of the test, with metadata in memory.
type cluster struct {
	store  *meta.Store
	peers  []*peer
	ring   *ring
	ids    []uint64 // of the nodes of peers
	clock  *hlc.Clock
	writer *Writer
	reader *Reader
}

// newCluster has one node for each peer; the first is the local one. Its
// database db has as many replicas as there are nodes.
func newCluster(t *testing.T, cfg Config, peers ...*peer) *cluster {
	t.Helper()
	return newClusterOn(t, metatest.NewMemory(), cfg, peers...)
}

func newClusterOn(t *testing.T, kv meta.KV, cfg Config, peers ...*peer) *cluster {
	t.Helper()
	ids := &ring{nodes: make(map[uint64]data.Peer)}
	c := &cluster{peers: peers, ring: ids}
	for i, p := range peers {
		store := metatest.OpenStore(t, kv, string(rune('a'+i)))
		if err := store.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes := store.Snapshot().Nodes()
		id := nodes[slices.IndexFunc(nodes, func(n *meta.Node) bool { return n.Name == string(rune('a'+i)) })].ID
		ids.nodes[id] = p
		c.ids = append(c.ids, id)
		if i == 0 {
			c.store, ids.local = store, id
		}
	}
	replicas := len(peers)
	if err := c.store.CreateDatabase(t.Context(), "db", &meta.PolicySpec{Replicas: &replicas}); err != nil {
		t.Fatal(err)
	}
	clock, err := hlc.Open(vfs.NewMem(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.clock = clock
	log := slog.New(slog.DiscardHandler)
	if c.writer, err = NewWriter(cfg, c.store, clock, ids, log, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.writer.Close)
	if c.reader, err = NewReader(cfg, c.store, ids, c.writer, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// batch makes a batch of one series with the rows at the times.
func batch(rows []map[string]any, times ...time.Time) *model.Batch {
	t := cells(rows...)
	for i := range times {
		t.Times[i] = times[i].UnixNano()
	}
	key := []byte("m,t=x")
	return &model.Batch{
		Series: []model.Series{{Hash: model.HashSeriesKey(key, 1), Key: key}},
		Tables: []model.Table{t},
	}
}

func (c *cluster) write(t *testing.T, b *model.Batch, level Level) error {
	t.Helper()
	return c.writer.Write(t.Context(), WriteRequest{Database: "db", Batch: b, Level: level})
}
