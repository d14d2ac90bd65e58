package data

import (
	"context"
	"errors"
	"fmt"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/internal/tracing"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

var (
	errStopping = fmt.Errorf("node is stopping: %w", model.ErrClosed)
	errNotHere  = fmt.Errorf("the replica is not complete yet: %w", model.ErrUnavailable)
)

// errNoOwner is the answer to one who takes this node for an owner.
func errNoOwner(ref ShardRef) error {
	return fmt.Errorf("%s: this node is no owner: %w", ref, model.ErrMoved)
}

// Write implements Peer.
func (n *Node) Write(ctx context.Context, ref ShardRef, b *model.Batch, heldBy uint64) (err error) {
	ctx, span := tracing.Start(ctx, "store")
	span.Int("shard", int(ref.Shard))
	defer func() { span.End(err) }()
	if heldBy == 0 && n.stopping.Load() {
		return fmt.Errorf("write %s: %w", ref, errStopping)
	}
	_, sh, err := n.current(ctx, ref)
	if err != nil {
		return fmt.Errorf("write %s: %w", ref, err)
	}
	if sh == nil {
		n.metrics.late.Inc()
		return nil
	}
	switch state := n.stateIn(sh); {
	case state == "":
		return errNoOwner(ref)
	case state == meta.Rebuild, state == meta.Joining && !n.shards.isLoaded(ref.Shard), heldBy == 0 && n.refuses(ref.Shard):
		// Not to be opened: that would make an empty one in the place of the copy.
		return fmt.Errorf("write %s: %w", ref, errNotHere)
	}
	if b.Delete == nil {
		if err := n.admit(ctx); err != nil {
			return err
		}
	}
	h, shard, err := n.shards.use(ref.Shard)
	if errors.Is(err, model.ErrNotFound) {
		if err := n.dropped(ref); err != nil {
			return fmt.Errorf("write %s: %w", ref, err)
		}
		n.metrics.late.Inc()
		return nil
	}
	if err != nil {
		return err
	}
	defer n.release(h)
	if _, err := n.store(ctx, h, shard, ref, b, replica.Hand{Holder: heldBy}); err != nil {
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

// dropped tells of a replica that is being removed here: nil when its shard was
// dropped, an error when only this node gives it up. The first is nobody's loss,
// the second must not look like that.
func (n *Node) dropped(ref ShardRef) error {
	if g, sh := n.follow().Shard(ref.Shard); sh != nil && g.Live() {
		return fmt.Errorf("the replica is being removed here: %w", model.ErrMoved)
	}
	return nil
}

// store makes a batch durable if the core lets it. had says that it was so
// before.
func (n *Node) store(ctx context.Context, h *handle, shard *tsm.Shard, ref ShardRef, b *model.Batch, hand replica.Hand) (had bool, err error) {
	if h.readOnly.Load() {
		return false, errReadOnly
	}
	now, err := n.now()
	if err != nil {
		return false, err
	}
	verdict, err := n.core.Admit(now, ref.Shard, ref.Revision, b.Version, hand)
	if err != nil {
		return false, err
	}
	if verdict == replica.Have {
		return true, nil
	}
	err = shard.Write(ctx, b)
	h.written.note(b, err)
	switch {
	case err == nil:
		if !n.core.Durable(ref.Shard, b.Version) && n.dropped(ref) != nil {
			err = errNotHere // and others may lack it for ever
		}
	case errors.Is(err, model.ErrReadOnly):
		// The sync has failed: nobody can say whether the batch is durable. So it
		// stays pending, and is the last one that may.
		h.readOnly.Store(true)
		n.core.Unsure(ref.Shard, b.Version)
	default:
		n.core.Abort(ref.Shard, b.Version)
	}
	return false, err
}

// errReadOnly is the answer of a shard of which a sync has failed, until it is
// opened again.
var errReadOnly = fmt.Errorf("a sync has failed: %w", model.ErrReadOnly)
