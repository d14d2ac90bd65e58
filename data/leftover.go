package data

import (
	"context"
	"errors"
	"fmt"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

var errLeftovers = fmt.Errorf("no other owner takes what only this replica holds: %w", model.ErrUnavailable)

// clear removes the replica of a shard, once an active owner has what it holds.
// What it lacks is offered to it, out of the log. The other active owners that
// are alive must have what that one has: a batch was acknowledged on the word of
// so many disks. done is false when that is to be tried again.
//
// A replica that cannot be opened, or whose log has lost what nobody else has,
// is not deleted but set aside, for people.
func (n *Node) clear(ctx context.Context, g *meta.ShardGroup, sh *meta.Shard) (done bool, err error) {
	there, err := n.shards.onDisk(sh.ID)
	if err != nil {
		return false, err
	}
	whole := true
	if there {
		if whole, err = n.handOver(ctx, refOf(g, sh)); err != nil {
			return false, err
		}
	}
	n.core.Closed(sh.ID)
	if whole {
		return n.shards.drop(sh.ID)
	}
	n.metrics.setAside.Inc()
	n.log.Error("a replica could not be handed over whole, it is kept aside", "shard", sh.ID, "dir", n.shards.path(sh.ID)+asideSuffix)
	return n.shards.setAside(sh.ID)
}

// handOver offers an active owner what it lacks of a replica. whole is false
// when something that it lacks cannot be read here.
func (n *Node) handOver(ctx context.Context, ref ShardRef) (whole bool, err error) {
	h, shard, err := n.shards.use(ref.Shard)
	switch {
	case errors.Is(err, model.ErrNotFound):
		return true, nil // on its way out
	case errors.Is(err, model.ErrCorrupt):
		return false, nil
	case err != nil:
		return false, err
	}
	defer n.release(h)
	held, _ := shard.Applied()
	errs := []error{errLeftovers}
	_, sh := n.follow().Shard(ref.Shard)
	if sh == nil {
		return true, nil
	}
	for _, node := range n.sources(sh) {
		o := n.owner(node)
		if o == nil {
			continue
		}
		theirs, err := o.Applied(ctx, ref)
		if err == nil {
			whole, err = n.offer(ctx, o, ref, shard, held.Minus(theirs))
		}
		if err == nil {
			err = n.spreadTo(ctx, ref, sh, node, held.Intersect(theirs))
		}
		if err == nil {
			return whole, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		errs = append(errs, fmt.Errorf("node %d: %w", node, err))
	}
	return false, errors.Join(errs...)
}

// spreadTo makes sure that the active owners that are alive, but one, hold these
// batches.
func (n *Node) spreadTo(ctx context.Context, ref ShardRef, sh *meta.Shard, but uint64, batches *model.BatchSet) error {
	for _, node := range n.others(sh, meta.Active) {
		if node == but || !n.meta.Snapshot().Alive(node) {
			continue
		}
		o := n.owner(node)
		if o == nil {
			return errNoWay
		}
		theirs, err := o.Applied(ctx, ref)
		if err != nil {
			return err
		}
		if lacks := batches.Minus(theirs).Len(); lacks > 0 {
			return fmt.Errorf("node %d lacks %d batches yet: %w", node, lacks, model.ErrUnavailable)
		}
	}
	return nil
}

// offer hands batches over to another owner, one after the other.
func (n *Node) offer(ctx context.Context, o Owner, ref ShardRef, shard *tsm.Shard, lacking *model.BatchSet) (whole bool, err error) {
	if lacking.Empty() {
		return true, nil
	}
	n.log.Info("offering what other owners lack", "shard", ref.Shard, "batches", lacking.Len())
	keys := make(map[model.SeriesHash][]byte) // the stream has each once, what is offered has all
	trimmed, err := shard.Fetch(ctx, lacking, func(b *model.Batch) error {
		if err := n.pace.Spend(ctx, b.MemoryBytes()); err != nil {
			return err
		}
		for i := range b.Series {
			if b.Series[i].Key != nil {
				keys[b.Series[i].Hash] = b.Series[i].Key
			} else {
				b.Series[i].Key = keys[b.Series[i].Hash]
			}
		}
		n.metrics.leftovers.Inc()
		return o.Offer(ctx, ref, b)
	})
	switch {
	case errors.Is(err, model.ErrCorrupt):
		return false, nil
	case err != nil:
		return false, err
	}
	return trimmed.Empty(), nil
}

// Offer implements Owner.
func (n *Node) Offer(ctx context.Context, ref ShardRef, b *model.Batch) error {
	anew := n.anew.Load()
	if anew == nil {
		return fmt.Errorf("offer to %s: the node is not ready: %w", ref, model.ErrUnavailable)
	}
	// Only one that has all can tell what is missing: a cell that it has not
	// pulled yet may be newer than what is offered.
	if err := n.readable(ctx, ReadRef{ShardRef: ref}); err != nil {
		return named(ref, err)
	}
	if n.core.Applied(ref.Shard).Contains(b.ID) {
		return nil
	}
	rest := &model.Batch{Series: b.Series, Tables: b.Tables}
	if b.Delete != nil {
		rest = nil // with a new version it would take what was written since
	} else if !n.shards.absent(ref.Shard) {
		h, shard, err := n.shards.use(ref.Shard)
		if errors.Is(err, model.ErrNotFound) {
			return named(ref, n.dropped(ref))
		}
		if err != nil {
			return err
		}
		rest, err = shard.Lacking(b)
		n.release(h)
		if err != nil {
			return named(ref, err)
		}
	}
	if rest == nil {
		return nil
	}
	n.metrics.anew.Inc()
	return (*anew)(ctx, ref, rest)
}
