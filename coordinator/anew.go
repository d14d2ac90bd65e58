package coordinator

import (
	"context"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/model"
)

// WriteAnew stores rows that only a former owner of a shard still has, as a new
// batch. The former owner forgets them after that, so more than half of the
// owners must have them. Rows of a shard that was dropped are ignored.
func (w *Writer) WriteAnew(ctx context.Context, shard data.ShardRef, b *model.Batch) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.cfg.WriteTimeout, errTimeout)
	defer cancel()
	g, s := w.meta.Snapshot().Shard(shard.Shard)
	if s == nil {
		if err := w.meta.Refresh(ctx); err != nil {
			return passing(ctx, err)
		}
		g, s = w.meta.Snapshot().Shard(shard.Shard)
	}
	if s == nil || !g.Live() {
		return nil
	}
	fresh := *b // b has a stamp, and others may use it
	return w.sendAll(ctx, []part{{group: g, shard: s, batch: &fresh}}, Quorum, newHold(nil))
}
