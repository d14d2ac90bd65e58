package control

import (
	"context"
	"time"

	"github.com/varvedb/varve/model"
)

// pruneAfter is how long a group stays marked deleted: the time a data node may
// be away and still learn from the mark what to remove. After that it learns it
// from the group's absence.
const pruneAfter = 14 * 24 * time.Hour

// enforceRetention marks the groups deleted that hold nothing their policy
// still keeps.
func (c *Controller) enforceRetention(ctx context.Context, now time.Time) {
	snapshot := c.store.Snapshot()
	for _, d := range snapshot.Databases() {
		for _, p := range d.Policies {
			oldest, limited := p.Oldest(now)
			if !limited {
				continue
			}
			for _, g := range snapshot.Groups(p.UID, model.AllTime) {
				if g.End > oldest {
					break // in order of time: the others end later
				}
				err := c.store.DeleteGroup(ctx, c.lease.Fence(), g.ID, now)
				if !c.done(ctx, err, c.metrics.deleted, "marked expired shard group deleted", "group", g.ID) {
					return
				}
			}
		}
	}
}

// prune forgets groups that were marked deleted long ago, and schemas whose
// group is gone.
func (c *Controller) prune(ctx context.Context, now time.Time) {
	if c.lease == nil {
		return
	}
	snapshot := c.store.Snapshot()
	due := snapshot.Orphans()
	for g := range snapshot.AllGroups {
		if !g.Live() && g.DeletedAt < now.Add(-pruneAfter).UnixNano() {
			due = append(due, g.ID)
		}
	}
	for _, id := range due {
		err := c.store.PruneGroup(ctx, c.lease.Fence(), id)
		if !c.done(ctx, err, c.metrics.pruned, "forgot shard group", "group", id) {
			return
		}
	}
}
