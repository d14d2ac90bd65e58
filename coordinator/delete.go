package coordinator

import (
	"context"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// Delete removes what d covers from the shards of all the policies, and
// returns when the default level of writes is met for each shard. It goes to
// the groups of a linearizable read of the metadata: one that another
// coordinator has just made and written to must not be missed.
func (w *Writer) Delete(ctx context.Context, shards []query.Shards, d *model.Delete) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), w.cfg.WriteTimeout, errTimeout)
	defer cancel()
	if err := w.meta.Refresh(ctx); err != nil {
		return passing(ctx, err)
	}
	var parts []part
	for _, s := range shards {
		groups, err := groupsOf(ctx, w.meta, s)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if !g.Range().Overlaps(d.Range) {
				continue
			}
			for i := range g.Shards {
				parts = append(parts, part{group: g, shard: &g.Shards[i], batch: &model.Batch{Delete: d}})
			}
		}
	}
	w.metrics.deletes.Add(float64(len(parts)))
	return w.sendAll(ctx, parts, Default, newHold(nil))
}
