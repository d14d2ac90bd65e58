package data

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

const (
	// Batches that were fetched are written together, so that they share a sync.
	// They may be of a row each, and tens of thousands after a partition: with 64
	// at a time a replica took a minute to catch up with five, on a busy disk.
	pullBatches = 1024
	pullBytes   = 8 << 20
)

// puller fetches what other owners have and this node lacks.
func (n *Node) puller(ctx context.Context) {
	every := time.NewTicker(n.cfg.TellEvery)
	defer every.Stop()
	slots := make(chan struct{}, n.cfg.PullsAtOnce)
	var all sync.WaitGroup
	defer all.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.pulls:
		case <-every.C:
		}
		// At most one for each shard is given until it is done.
		for _, p := range n.core.Pulls(n.lately()) {
			all.Go(func() {
				select {
				case slots <- struct{}{}:
					defer func() { <-slots }()
					n.pull(ctx, p)
				case <-ctx.Done():
					n.core.PullDone(n.lately(), p, nil, ctx.Err())
				}
			})
		}
	}
}

// pull does one pull that the core has asked for.
func (n *Node) pull(ctx context.Context, p replica.Pull) {
	begun := time.Now()
	g, sh := n.follow().Shard(p.Shard)
	var trimmed *model.BatchSet
	err := errNoWay
	if sh != nil {
		ref := refOf(g, sh)
		ref.Revision = p.Revision
		trimmed, err = n.fetch(ctx, ref, p.From, p.Want)
	}
	n.core.PullDone(n.lately(), p, trimmed, err)
	switch {
	case err != nil && ctx.Err() == nil:
		n.metrics.pulls.WithLabelValues("failed").Inc()
		n.log.Debug("pull failed", "shard", p.Shard, "from", p.From, "error", err)
	case err == nil:
		n.metrics.pulls.WithLabelValues("done").Inc()
		if took := time.Since(begun); took > time.Second {
			n.log.Info("pulled batches", "shard", p.Shard, "from", p.From, "batches", p.Want.Len(), "took", took)
		}
	}
	if n.core.Doubtful(p.Shard) {
		n.suspect(p.Shard)
	}
}

// fetch brings batches from another owner and makes them durable here. trimmed
// is what that one holds, but not in its log.
func (n *Node) fetch(ctx context.Context, ref ShardRef, from uint64, want *model.BatchSet) (trimmed *model.BatchSet, err error) {
	o := n.owner(from)
	if o == nil {
		return nil, errNoWay
	}
	h, shard, err := n.shards.use(ref.Shard)
	if err != nil {
		return nil, err
	}
	defer n.release(h)
	in := intake{node: n, ref: ref, from: from, handle: h, shard: shard}
	trimmed, err = o.Fetch(ctx, ref, want, func(b *model.Batch) error { return in.add(ctx, b) })
	if ferr := in.flush(ctx); err == nil {
		err = ferr
	}
	n.account(h, shard)
	return trimmed, err
}

// intake is batches that were fetched and are to be written together.
type intake struct {
	node   *Node
	ref    ShardRef
	from   uint64
	handle *handle
	shard  *tsm.Shard

	batches []*model.Batch
	bytes   int64
}

func (in *intake) add(ctx context.Context, b *model.Batch) error {
	size := b.MemoryBytes()
	if err := in.node.pace.Spend(ctx, size); err != nil {
		return err
	}
	in.batches = append(in.batches, b)
	if in.bytes += size; len(in.batches) < pullBatches && in.bytes < pullBytes {
		return nil
	}
	return in.flush(ctx)
}

// flush writes the batches at the same time. Those that lack a key which another
// brings are written again after it.
func (in *intake) flush(ctx context.Context) error {
	var g errgroup.Group
	again := make([]bool, len(in.batches))
	for i, b := range in.batches {
		g.Go(func() error {
			err := in.write(ctx, b)
			if errors.Is(err, model.ErrNeedKeys) {
				again[i] = true
				return nil
			}
			return err
		})
	}
	err := g.Wait()
	for i, b := range in.batches {
		if again[i] && err == nil {
			err = in.write(ctx, b)
		}
	}
	clear(in.batches)
	in.batches, in.bytes = in.batches[:0], 0
	return err
}

func (in *intake) write(ctx context.Context, b *model.Batch) error {
	n := in.node
	if b.Delete == nil {
		if err := n.admit(ctx); err != nil {
			return err
		}
	}
	had, err := n.store(ctx, in.handle, in.shard, in.ref, b, replica.Hand{Holder: in.from})
	switch {
	case errors.Is(err, model.ErrStale):
		// It cannot happen; if it does, the replicas differ, and somebody must know.
		// This one will never take it, so it is copied from one that has it.
		n.log.Error("a pulled batch is older than the frontier and was refused", "shard", in.ref.Shard, "from", in.from, "batch", b.ID, "error", err)
		n.doubt(in.ref.Shard, fmt.Errorf("it refuses what node %d holds: %w: %w", in.from, model.ErrTrimmed, err))
		return nil
	case err == nil && !had:
		n.metrics.pulled.Inc()
	}
	return err
}
