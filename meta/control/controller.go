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

	// lookEvery is the least time between two looks at all groups and shards, which
	// changes of the metadata set off.
	lookEvery = time.Second
)

// Controller is this node's part in the election, and what it does once
// elected.
type Controller struct {
	store   *meta.Store
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	measure Measure // nil: there is none

	lease         *meta.Lease // nil while another node has it
	nextRetention time.Time
	nextCopies    time.Time
	nextLook      time.Time
	memory        memory
}

// Measure gives the bytes of one replica of each shard, as far as it can find
// them out.
type Measure func(ctx context.Context) (map[uint64]int64, error)

// New gives a Controller. reg may be nil.
func New(store *meta.Store, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Controller, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Controller{store: store, cfg: cfg, log: log, metrics: newMetrics(reg)}, nil
}

// MeasureBy lets places be chosen by bytes; without it replicas are counted. It
// is called before Run.
func (c *Controller) MeasureBy(m Measure) { c.measure = m }

// Run takes part until ctx ends, and gives the lease back then. It is called
// once.
func (c *Controller) Run(ctx context.Context) {
	defer c.resign(context.WithoutCancel(ctx))
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for due := true; ; {
		changed := c.store.Changed()
		if due {
			c.lead(ctx)
		}
		if c.lease != nil {
			c.act(ctx, time.Now())
		} else {
			changed = nil // whatever it is, another node looks at it
		}
		due = c.wait(ctx, tick.C, changed)
		if ctx.Err() != nil {
			return
		}
	}
}

// wait returns when there is something to do again, and reports whether the
// lease is due.
func (c *Controller) wait(ctx context.Context, tick <-chan time.Time, changed <-chan struct{}) (due bool) {
	select {
	case <-tick:
		return true
	case <-ctx.Done():
		return false
	case <-changed:
	}
	pause := time.NewTimer(time.Until(c.nextLook))
	defer pause.Stop()
	select {
	case <-tick:
		return true
	case <-ctx.Done():
	case <-pause.C:
	}
	return false
}

// lead renews the lease or tries to get it.
func (c *Controller) lead(ctx context.Context) {
	if c.lease != nil {
		err := c.lease.Renew(ctx)
		if err == nil {
			return
		}
		c.depose(err)
	}
	lease, err := c.store.Acquire(ctx, leaseName, leaseTTL)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, model.ErrConflict) {
			c.log.Warn("cannot stand for controller", "error", err)
		}
		return
	}
	c.lease = lease
	c.nextRetention, c.nextCopies, c.nextLook = time.Time{}, time.Time{}, time.Time{} // all now
	c.memory = memory{}
	c.metrics.leading.Set(1)
	c.log.Info("became controller of the cluster")
}

func (c *Controller) depose(why error) {
	c.lease = nil
	c.metrics.rest()
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
	c.metrics.rest()
}

// act does what is due. What one part cannot do now holds up no other.
func (c *Controller) act(ctx context.Context, now time.Time) {
	if !now.Before(c.nextRetention) {
		c.nextRetention = now.Add(c.cfg.RetentionInterval)
		c.enforceRetention(ctx, now)
		c.prune(ctx, now)
	}
	if c.lease == nil || now.Before(c.nextLook) {
		return
	}
	c.nextLook = now.Add(lookEvery)
	if c.precreate(ctx, now); c.lease != nil {
		c.placeShards(ctx, now)
	}
}

// done counts and tells what became of one act. It reports whether to go on.
func (c *Controller) done(ctx context.Context, err error, count prometheus.Counter, what string, facts ...any) bool {
	switch {
	case err == nil:
		count.Inc()
		c.log.Info(what, facts...)
		return true
	case errors.Is(err, meta.ErrDeposed):
		c.depose(err)
		return false
	}
	c.metrics.failures.Inc()
	if ctx.Err() == nil {
		c.log.Warn("failed, will try again: "+what, append(facts, "error", err)...)
	}
	if ctx.Err() != nil || !errors.Is(err, model.ErrUnavailable) {
		return ctx.Err() == nil
	}
	// One act that gets no answer holds up no other. But when the metadata
	// store is away each of them would wait; and the lease ends meanwhile.
	return c.lease.Renew(ctx) == nil
}
