package data

import (
	"context"
	"time"

	"github.com/varvedb/varve/meta"
)

// sweeper removes the shards whose group has gone from the metadata: dropped
// by a statement or by retention.
func (n *Node) sweeper(ctx context.Context) {
	every := time.NewTicker(n.cfg.SweepEvery)
	defer every.Stop()
	n.sweepCopies()
	for {
		changed := n.meta.Changed()
		n.sweep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-n.swept:
		case <-every.C:
			n.sweepCopies()
		}
	}
}

// sweepCopies removes what is left of copies that nobody waits for.
func (n *Node) sweepCopies() {
	s := n.meta.Snapshot()
	err := n.shards.removeCopies(func(id uint64) bool {
		_, sh := s.Shard(id)
		return n.stateIn(sh) == meta.Joining
	})
	if err != nil {
		n.log.Warn("left copies could not be removed", "error", err)
	}
}

// sweep removes the shards that the metadata does not know any more.
//
// The order matters. A shard is in the metadata before anybody writes to it,
// so one that is on disk now and is not in metadata read, linearizably, after
// that has been dropped. A snapshot from before may merely be old.
func (n *Node) sweep(ctx context.Context) {
	var gone []uint64
	for _, id := range n.shards.ids() {
		if !n.wanted(id) {
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return
	}
	if err := n.meta.Refresh(ctx); err != nil {
		return // the store has said so; the next sweep comes
	}
	for _, id := range gone {
		if ctx.Err() != nil || n.wanted(id) {
			continue
		}
		removed, err := n.shards.drop(id)
		switch {
		case err != nil:
			n.log.Error("dropped shard could not be removed", "shard", id, "error", err)
		case removed:
			n.metrics.dropped.Inc()
			n.log.Info("removed dropped shard", "shard", id)
		}
	}
}

// wanted reports whether the metadata has a shard in a live group.
func (n *Node) wanted(id uint64) bool {
	g, _ := n.meta.Snapshot().Shard(id)
	return g != nil && g.Live()
}
