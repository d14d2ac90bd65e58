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
	level := w.cfg.Level
	if level == Any {
		level = One // deletes are never parked: they would take effect at any time
	}
	if err := w.sendAll(ctx, parts, level, newHold(nil)); err != nil {
		return err
	}
	return w.forget(ctx, parts, d)
}

// forget frees the types of the fields of a measurement that was deleted as a
// whole, so that it may begin anew with others.
func (w *Writer) forget(ctx context.Context, parts []part, d *model.Delete) error {
	if d.Range != model.AllTime || d.Where == nil || d.Where.Op != model.Equal || d.Where.Key != model.MeasurementKey {
		return nil
	}
	done := make(map[uint64]bool)
	for i := range parts {
		g := parts[i].group.ID
		if done[g] || len(w.meta.Snapshot().Fields(g, d.Where.Value)) == 0 {
			continue
		}
		done[g] = true
		if err := w.meta.ForgetMeasurement(ctx, g, d.Where.Value); err != nil {
			return passing(ctx, err)
		}
	}
	return nil
}
