package control

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

const (
	leaseName = "controller"

	// A node that stops without a word is replaced after leaseTTL. Three
	// renewals fit into it, so that one lost in between costs nothing.
	leaseTTL   = 15 * time.Second
	renewEvery = 5 * time.Second

	// pruneAfter is how long a group stays marked deleted: the time a data
	// node may be away and still learn from the mark what to remove. After
	// that it learns it from the group's absence.
	pruneAfter = 14 * 24 * time.Hour
)

// Controller is this node's part in the election, and what it does once
// elected.
type Controller struct {
	store   *meta.Store
	cfg     Config
	log     *slog.Logger
	metrics *metrics

	lease                        *meta.Lease // nil while another node has it
	nextRetention, nextPrecreate time.Time
}

// New gives a Controller. reg may be nil.
func New(store *meta.Store, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Controller, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Controller{store: store, cfg: cfg, log: log, metrics: newMetrics(reg)}, nil
}

// Run takes part until ctx ends, and gives the lease back then. It is called
// once.
func (c *Controller) Run(ctx context.Context) {
	defer c.resign(context.WithoutCancel(ctx))
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		if c.lead(ctx) {
			c.act(ctx, time.Now())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lead renews the lease or tries to get it, and reports whether it is held.
func (c *Controller) lead(ctx context.Context) bool {
	if c.lease != nil {
		err := c.lease.Renew(ctx)
		if err == nil {
			return true
		}
		c.depose(err)
	}
	lease, err := c.store.Acquire(ctx, leaseName, leaseTTL)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, model.ErrConflict) {
			c.log.Warn("cannot stand for controller", "error", err)
		}
		return false
	}
	c.lease = lease
	c.nextRetention, c.nextPrecreate = time.Time{}, time.Time{} // both now
	c.metrics.leading.Set(1)
	c.log.Info("became controller of the cluster")
	return true
}

func (c *Controller) depose(why error) {
	c.lease = nil
	c.metrics.leading.Set(0)
	c.log.Info("no longer controller of the cluster", "why", why)
}

func (c *Controller) resign(ctx context.Context) {
	if c.lease == nil {
		return
	}
	if err := c.lease.Release(ctx); err != nil {
		c.log.Warn("cannot give back the controller's lease, it ends by itself", "error", err)
	}
	c.lease = nil
	c.metrics.leading.Set(0)
}

// act does what is due.
func (c *Controller) act(ctx context.Context, now time.Time) {
	if !now.Before(c.nextRetention) {
		c.nextRetention = now.Add(c.cfg.RetentionInterval)
		c.enforceRetention(ctx, now)
		c.prune(ctx, now)
	}
	if c.lease != nil && !now.Before(c.nextPrecreate) {
		c.nextPrecreate = now.Add(c.cfg.PrecreateInterval)
		c.precreate(ctx, now)
	}
}

// done counts and tells what became of one act. It reports whether to go on.
func (c *Controller) done(ctx context.Context, err error, count prometheus.Counter, what string, group uint64) bool {
	switch {
	case err == nil:
		count.Inc()
		c.log.Info(what, "group", group)
		return true
	case errors.Is(err, meta.ErrDeposed):
		c.depose(err)
		return false
	}
	c.metrics.failures.Inc()
	if ctx.Err() == nil {
		c.log.Warn("failed, will try again: "+what, "group", group, "error", err)
	}
	// When the metadata store is away every further act would wait, too, and
	// meanwhile the lease would not be renewed.
	return ctx.Err() == nil && !errors.Is(err, model.ErrUnavailable)
}

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
				if !c.done(ctx, err, c.metrics.deleted, "marked expired shard group deleted", g.ID) {
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
		if !c.done(ctx, err, c.metrics.pruned, "forgot shard group", id) {
			return
		}
	}
}

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
			if !c.done(ctx, err, c.metrics.created, "made shard group ahead of its time", id) {
				return
			}
		}
	}
}
