package data

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/internal/arena"
	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/tsm"
)

// Node is the shards of this process. It implements Peer for coordinators and
// Owner for the other nodes that own the same shards.
type Node struct {
	cfg       Config
	self      uint64
	meta      *meta.Store
	clock     *hlc.Clock
	peers     Directory
	log       *slog.Logger
	metrics   *metrics
	worker    *tsm.Worker
	shards    *shards
	memory    atomic.Int64 // bytes in all memtables, as last asked
	unflushed atomic.Int64 // bytes of all logs that are in no file, as last asked
	stuck     atomic.Bool  // memtables could not be flushed
	arena     *arena.Pool  // for all memtables
	queries   *memory.Pool // of what scans hold; nil: without a bound
	scanners  *exec.Workers

	core    *replica.Node // what is known of the other owners
	started time.Time
	latest  atomic.Pointer[replica.Time] // the last time that now gave
	pace    *pace.Pace                   // of what comes by pulls and copies
	anew    atomic.Pointer[Anew]
	moves   moves
	waiting waiting
	excuses excuses
	callers callers
	census  census

	// follows is what the core was told of the metadata.
	follows struct {
		sync.Mutex
		snapshot atomic.Pointer[meta.Snapshot]
		owned    map[uint64]uint64            // revision by shard
		excuses  map[uint64]map[uint64]uint64 // found at the start, of shards that were not met yet
	}

	// sums is the sum that the metrics share.
	sums struct {
		sync.Mutex
		replicas
		at    time.Time
		known bool
	}

	cancel   context.CancelFunc
	done     sync.WaitGroup // all goroutines of the node
	swept    chan struct{}  // asks for a sweep; holds one request
	relief   chan struct{}  // asks for memtables to be flushed; holds one request
	pulls    chan struct{}  // asks for pulls; holds one request
	steps    chan struct{}  // asks for steps of replicas that come or go; holds one request
	stopping atomic.Bool    // nothing is taken first-hand any more
	closing  sync.Once
	closed   error
}

var (
	_ Peer  = (*Node)(nil)
	_ Owner = (*Node)(nil)
)

// keptPart is the part of the memory for memtables that is kept for the next ones
// when they are packed or flushed.
const keptPart = 16

// Anew writes a batch that is not stamped, as a coordinator does, into a shard.
type Anew func(ctx context.Context, shard ShardRef, b *model.Batch) error

// Open gives the node whose shards are below dir, one directory each; it is
// made when missing. Shards that only this node owns are opened when they are
// used first, so one that is damaged stops only requests for it.
//
// Shards of another cluster are refused with model.ErrConflict. store must stay
// open until Close and its directory be registered as a node. clock is the one
// of this node, shared with its coordinator. With nil peers no other node can be
// reached. reg may be nil.
func Open(fs vfs.FS, dir string, cfg Config, store *meta.Store, clock *hlc.Clock, peers Directory, log *slog.Logger, reg prometheus.Registerer) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, self: store.Self(), meta: store, clock: clock, peers: peers, log: log, started: time.Now(),
		swept: make(chan struct{}, 1), relief: make(chan struct{}, 1), pulls: make(chan struct{}, 1), steps: make(chan struct{}, 1),
	}
	n.pace = pace.New(cfg.TransferBytes)
	n.scanners = exec.NewWorkers(runtime.GOMAXPROCS(0) - 1)
	n.cfg.Replica.Found = clock.Found()
	var err error
	if n.core, err = replica.New(replica.Self{Node: n.self, Start: store.Start()}, n.cfg.Replica); err != nil {
		return nil, err
	}
	if n.shards, err = loadShards(fs, dir, cfg.OpenShards, n.openShard); err != nil {
		return nil, fmt.Errorf("open shards: %w", err)
	}
	if err = claim(fs, dir, store.Snapshot().ClusterID(), len(n.shards.ids()) == 0); err != nil {
		return nil, err
	}
	if n.follows.excuses, err = readExcuses(fs, path.Join(dir, excusesFile)); err != nil {
		// Without them this node waits for owners that are away, that is all.
		log.Warn("excuses of absent owners could not be read", "error", err)
	}
	n.metrics = newMetrics(reg, n)
	n.cfg.Shard.Metrics = tsm.NewMetrics(reg)
	n.worker = tsm.NewWorker(tsm.WorkerConfig{
		Flushers: cfg.Workers, CompactionRate: cfg.CompactionRate, ScrubRate: cfg.ScrubRate,
		Metrics: n.cfg.Shard.Metrics,
	})
	n.arena = arena.New(cfg.MemtableBytes / keptPart)
	n.cfg.Shard.Arena = n.arena
	n.cfg.Shard.Worker = n.worker
	n.follow()
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	for _, f := range []func(context.Context){n.sweeper, n.reliever, n.follower, n.loader, n.teller, n.puller, n.stepper, n.keeper, n.preparer} {
		n.done.Go(func() { f(ctx) })
	}
	return n, nil
}

// SetAnew gives the node the way by which what others could not hand over in
// time is written again; until then nothing of it is taken.
func (n *Node) SetAnew(f Anew) { n.anew.Store(&f) }

// Close waits until the other owners hold what is held here, for a while, and
// for the requests that run; then it flushes and closes all shards. Requests
// fail with model.ErrClosed from then on. It is safe to call twice.
func (n *Node) Close() error {
	n.closing.Do(func() {
		n.HandOver(context.Background())
		n.census.close()
		n.cancel()
		n.done.Wait()
		n.closed = errors.Join(n.shards.close(), n.worker.Close(), n.arena.Close())
	})
	return n.closed
}

// openShard opens the shard in dir and tells the core what it holds. Nobody
// writes to it meanwhile.
func (n *Node) openShard(id uint64, fs vfs.FS, dir string) (*tsm.Shard, error) {
	cfg := n.cfg.Shard
	cfg.End = math.MaxInt64
	if g, _ := n.follow().Shard(id); g != nil {
		cfg.End = g.End
	}
	cfg.Log = n.log.With("shard", id)
	cfg.Replication = bounds{node: n, shard: id}
	if seed := n.meta.Snapshot().HashSeed(); seed != 0 {
		cfg.Hash = func(key []byte) model.SeriesHash { return model.HashSeriesKey(key, seed) }
	}
	s, err := tsm.Open(fs, dir, cfg)
	if err != nil {
		n.metrics.openErrors.Inc()
		n.log.Error("shard does not open", "shard", id, "error", err)
		n.doubt(id, err)
		return nil, err
	}
	applied, recent := s.Applied()
	n.core.Opened(id, applied, recent)
	return s, nil
}

// bounds is what a shard must know of its other owners.
type bounds struct {
	node  *Node
	shard uint64
}

var _ tsm.Replication = bounds{}

// Frontier implements tsm.Replication.
func (b bounds) Frontier() model.HLC { return b.node.core.Frontier(b.node.lately(), b.shard) }

// Known implements tsm.Replication.
func (b bounds) Known(ids *model.BatchSet) bool {
	if b.node.core.Known(b.shard, ids) {
		return true
	}
	b.node.waiting.note(b.shard, ids)
	return false
}

func (n *Node) release(h *handle) {
	if err := n.shards.release(h); err != nil {
		n.log.Error("closing an idle shard failed", "error", err)
	}
	if n.shards.abandoned(h) {
		ask(n.swept)
	}
}

// ask leaves a request in a channel that holds one; another one there will do.
func ask(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
