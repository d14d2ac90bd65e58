package control

import (
	"context"
	"time"

	"github.com/varvedb/varve/model"
)

// precreate makes the group after each policy's present one if that ends soon,
// so that the first write after the boundary waits for nothing, and none fails
// while etcd is away. What fields the present one has come to use since is made
// known in a successor that is there. A group that nothing was written to gets
// no successor: an idle policy would grow for ever.
func (c *Controller) precreate(ctx context.Context, now time.Time) {
	copies := !now.Before(c.nextCopies)
	if copies {
		c.nextCopies = now.Add(c.cfg.PrecreateInterval)
	}
	snapshot := c.store.Snapshot()
	for _, d := range snapshot.Databases() {
		for _, p := range d.Policies {
			// The one that holds now; later ones were written to on purpose.
			g := snapshot.Group(p.UID, now.UnixNano())
			if g == nil || g.End > now.Add(c.cfg.PrecreateAhead).UnixNano() || g.End > model.MaxTime || !snapshot.InUse(g.ID) {
				continue
			}
			if next := snapshot.Group(p.UID, g.End); next != nil {
				if !copies {
					continue
				}
				err := c.store.CopyFields(ctx, c.lease.Fence(), g.ID, next.ID)
				if err != nil && !c.done(ctx, err, c.metrics.created, "made fields known in the next shard group", "group", next.ID) {
					return
				}
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
