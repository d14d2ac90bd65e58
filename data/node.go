package data

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
	"github.com/varvedb/varve/tsm"
)

// Node is the shards of this process. It implements Peer.
type Node struct {
	cfg     Config
	meta    *meta.Store
	clock   *hlc.Clock
	peers   Directory
	log     *slog.Logger
	metrics *metrics
	worker  *tsm.Worker
	shards  *shards
	memory  atomic.Int64 // bytes in all memtables, as last asked

	cancel  context.CancelFunc
	done    sync.WaitGroup // the sweeper and the reliever
	swept   chan struct{}  // asks for a sweep; holds one request
	relief  chan struct{}  // asks for memtables to be flushed; holds one request
	closing sync.Once
	closed  error
}

var _ Peer = (*Node)(nil)

// Open gives the node whose shards are below dir, one directory each; it is
// made when missing. Shards are opened when they are used first, so one that
// is damaged stops only requests for it.
//
// Shards of another cluster are refused with model.ErrConflict. store must stay
// open until Close and its directory be registered as a node. clock is the one
// of this node, shared with its coordinator. With nil peers no other node can be
// reached. reg may be nil.
func Open(fs vfs.FS, dir string, cfg Config, store *meta.Store, clock *hlc.Clock, peers Directory, log *slog.Logger, reg prometheus.Registerer) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, meta: store, clock: clock, peers: peers, log: log, swept: make(chan struct{}, 1), relief: make(chan struct{}, 1)}
	var err error
	if n.shards, err = loadShards(fs, dir, cfg.OpenShards, n.openShard); err != nil {
		return nil, fmt.Errorf("open shards: %w", err)
	}
	if err = claim(fs, dir, store.Snapshot().ClusterID(), len(n.shards.ids()) == 0); err != nil {
		return nil, err
	}
	n.worker = tsm.NewWorker(cfg.Workers)
	n.metrics = newMetrics(reg, n)
	n.cfg.Shard.Worker = n.worker
	n.cfg.Shard.Metrics = tsm.NewMetrics(reg)
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.done.Go(func() { n.sweeper(ctx) })
	n.done.Go(func() { n.reliever(ctx) })
	return n, nil
}

// Close waits for the requests that run, flushes and closes all shards. Later
// requests fail with model.ErrClosed. It is safe to call twice.
func (n *Node) Close() error {
	n.closing.Do(func() {
		n.cancel()
		n.done.Wait()
		n.closed = errors.Join(n.shards.close(), n.worker.Close())
	})
	return n.closed
}

// openShard opens the shard in dir.
func (n *Node) openShard(id uint64, fs vfs.FS, dir string) (*tsm.Shard, error) {
	cfg := n.cfg.Shard
	cfg.End = math.MaxInt64
	if g, _ := n.meta.Snapshot().Shard(id); g != nil {
		cfg.End = g.End
	}
	cfg.Log = n.log.With("shard", id)
	s, err := tsm.Open(fs, dir, cfg)
	if err != nil {
		n.metrics.openErrors.Inc()
		n.log.Error("shard does not open", "shard", id, "error", err)
	}
	return s, err
}

// Write implements Peer.
func (n *Node) Write(ctx context.Context, ref ShardRef, b *model.Batch, heldBy uint64) error {
	if !n.shards.has(ref.Shard) {
		if live, err := n.live(ctx, ref); err != nil {
			return err
		} else if !live {
			n.metrics.late.Inc()
			return nil
		}
	}
	if b.Delete == nil {
		if err := n.admit(); err != nil {
			return err
		}
	}
	h, shard, err := n.shards.use(ref.Shard)
	if errors.Is(err, model.ErrNotFound) {
		n.metrics.late.Inc()
		return nil
	}
	if err != nil {
		return err
	}
	defer n.release(h)
	if err := shard.Write(ctx, b); err != nil {
		return fmt.Errorf("write %s: %w", ref, err)
	}
	n.account(h, shard)
	if b.Delete != nil {
		n.metrics.deletes.Inc()
	} else {
		n.metrics.batches.Inc()
		n.metrics.rows.Add(float64(b.Rows()))
	}
	return nil
}

// live reports whether a shard that is not here is to be made: whether its
// group exists and is not marked deleted.
func (n *Node) live(ctx context.Context, ref ShardRef) (bool, error) {
	if g, _ := n.meta.Snapshot().Shard(ref.Shard); g != nil {
		return g.Live(), nil
	}
	// Not known here: dropped, or made by another node a moment ago.
	if err := n.meta.Refresh(ctx); err != nil {
		return false, fmt.Errorf("write %s: %w", ref, err)
	}
	g, _ := n.meta.Snapshot().Shard(ref.Shard)
	return g != nil && g.Live(), nil
}

// Scan implements Peer.
func (n *Node) Scan(ctx context.Context, ref ReadRef, f *plan.Fragment, emit func(*exec.Partial) error) error {
	return n.read(ref.ShardRef, func(src exec.Source) error {
		n.metrics.scans.Inc()
		return exec.RunFragment(ctx, src, f, emit)
	})
}

// List implements Peer.
func (n *Node) List(ctx context.Context, ref ReadRef, q *exec.ListRequest) (*exec.List, error) {
	list := &exec.List{}
	err := n.read(ref.ShardRef, func(src exec.Source) (err error) {
		list, err = exec.RunList(ctx, src, q)
		return err
	})
	return list, err
}

// Schema implements Peer.
func (n *Node) Schema(ctx context.Context, ref ReadRef, where *model.Predicate) ([]Measurement, error) {
	var out []Measurement
	err := n.read(ref.ShardRef, func(src exec.Source) error {
		for _, name := range src.Measurements() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if where.Holds(name, nil) {
				out = append(out, Measurement{Name: name, Fields: src.Fields(name), Tags: src.TagKeys(name)})
			}
		}
		return nil
	})
	return out, err
}

// Applied implements Peer.
func (n *Node) Applied(context.Context, ShardRef) (*model.BatchSet, error) {
	return nil, fmt.Errorf("applied set: %w", model.ErrNotSupported)
}

// read runs f over a view of a shard; a shard that is not here has no data.
func (n *Node) read(ref ShardRef, f func(exec.Source) error) (err error) {
	if !n.shards.has(ref.Shard) {
		return nil
	}
	h, shard, err := n.shards.use(ref.Shard)
	if errors.Is(err, model.ErrNotFound) {
		return nil // dropped since
	}
	if err != nil {
		return err
	}
	defer n.release(h)
	r, err := shard.Reader()
	if err != nil {
		return fmt.Errorf("read %s: %w", ref, err)
	}
	defer func() { // also after a panic, which does not end the process
		if cerr := r.Close(); err == nil {
			err = named(ref, cerr)
		}
	}()
	return named(ref, f(source{Reader: r, agreed: n.agreed(ref)}))
}

// agreed gives what the schema registry knows of the fields of a shard.
func (n *Node) agreed(ref ShardRef) func(measurement string) []model.Field {
	snapshot := n.meta.Snapshot()
	return func(measurement string) []model.Field { return snapshot.Fields(ref.Group, measurement) }
}

// named says of which shard err is, unless its text is for clients as it is.
func named(ref ShardRef, err error) error {
	var final *model.Error
	if err == nil || errors.As(err, &final) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("read %s: %w", ref, err)
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
