package control

import (
	"context"
	"time"

	"github.com/varvedb/varve/model"
)

// precreate makes the group after each policy's newest one if that ends soon,
// so that the first write after the boundary waits for nothing. A group that
// nothing was written to gets no successor: an idle policy would grow for ever.
func (c *Controller) precreate(ctx context.Context, now time.Time) {
	snapshot := c.store.Snapshot()
	for _, d := range snapshot.Databases() {
		for _, p := range d.Policies {
			// The one that holds now; later ones were written to on purpose.
			g := snapshot.Group(p.UID, now.UnixNano())
			if g == nil || g.End > now.Add(c.cfg.PrecreateAhead).UnixNano() || g.End > model.MaxTime ||
				snapshot.Group(p.UID, g.End) != nil || !snapshot.InUse(g.ID) {
				continue
			}
			next, err := c.store.Succeed(ctx, c.lease.Fence(), g.ID)
			id := g.ID
			if err == nil {
				id = next.ID
			}
			if !c.done(ctx, err, c.metrics.created, "made shard group ahead of its time", "group", id) {
				return
			}
		}
	}
}
