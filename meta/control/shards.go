package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

const (
	// maxSteps bounds the steps of one look, so that the lease is renewed in
	// between; the next look comes at once.
	maxSteps = 200

	// measureEvery is how old the sizes of shards may be by which places are
	// chosen, and measureFor how long it may take to ask for them.
	measureEvery = time.Minute
	measureFor   = 5 * time.Second

	// maxRounds bounds the plans of one rebalance: shards that grow while
	// others move may make another worthwhile, but not for ever.
	maxRounds = 3
)

// placeShards looks at the owners of all shards and begins what is due.
func (c *Controller) placeShards(ctx context.Context, now time.Time) {
	if c.store.Away() {
		c.memory.absentHere = nil // nobody's absence is to be believed
		return
	}
	snapshot := c.store.Snapshot()
	if !c.noteAbsences(ctx, snapshot, now) {
		return
	}
	c.observe(snapshot, now)
	steps, left := c.decide(snapshot, now)
	if c.sizesAreOld(now) && (len(steps) > 0 || snapshot.Rebalance() != nil && left == 0) {
		c.measureShards(ctx, now)
		steps, left = c.decide(snapshot, now)
	}
	for _, s := range steps[:min(len(steps), maxSteps)] {
		if !c.take(ctx, s) {
			return
		}
	}
	if r := snapshot.Rebalance(); r != nil && left == 0 {
		c.endRound(ctx, snapshot, r)
	}
}

// decide gives the steps to take, and how many moves of a rebalance are left.
func (c *Controller) decide(snapshot *meta.Snapshot, now time.Time) (steps []step, left int) {
	v := look(snapshot, now, c.cfg, c.memory.sizes, c.memory.absentHere)
	steps, h := v.repairs()
	more, left := v.balance()
	c.metrics.under.Set(float64(h.under))
	c.metrics.lost.Set(float64(h.lost))
	c.metrics.left.Set(float64(left))
	return append(steps, more...), left
}

// take takes one step and reports whether to go on.
func (c *Controller) take(ctx context.Context, s step) bool {
	var err error
	fence := c.lease.Fence()
	switch s.do {
	case addition:
		err = c.store.AddOwner(ctx, fence, s.shard, s.node, s.from, s.why)
	case retiral:
		err = c.store.Retire(ctx, fence, s.shard, s.node, s.why)
	case removal:
		err = c.store.RemoveOwner(ctx, fence, s.shard, s.node)
	case reversal:
		err = c.store.Restore(ctx, fence, s.shard, s.node)
	case oblivion:
		err = c.store.ForgetMove(ctx, fence, s.shard)
	default:
		panic(fmt.Sprintf("step %q", s.do))
	}
	if !errors.Is(err, meta.ErrDeposed) && (errors.Is(err, model.ErrConflict) || errors.Is(err, model.ErrNotFound)) {
		// Others change shards, too; the next look sees what is due then.
		c.metrics.refused.Inc()
		c.log.Debug("overtaken: "+string(s.do), "shard", s.shard, "error", err)
		return true
	}
	facts := []any{"shard", s.shard, "why", s.why}
	if s.node != 0 {
		facts = append(facts, "node", s.node)
	}
	if s.from != 0 {
		facts = append(facts, "instead_of", s.from)
	}
	return c.done(ctx, err, c.metrics.steps.WithLabelValues(string(s.do), string(s.why)), string(s.do), facts...)
}

// endRound ends a rebalance of which nothing is left to do, or begins another
// round when shards have grown meanwhile.
func (c *Controller) endRound(ctx context.Context, snapshot *meta.Snapshot, r *meta.Rebalance) {
	var next []meta.PlannedMove
	if r.Round < maxRounds {
		next = Plan(snapshot, c.memory.sizes.bytes)
	}
	err := c.store.NextRebalance(ctx, c.lease.Fence(), r.Started, next)
	c.done(ctx, err, c.metrics.rounds, "ended a round of the rebalance", "round", r.Round, "moves", len(r.Moves), "left_for_another", len(next))
}

func (c *Controller) sizesAreOld(now time.Time) bool {
	return c.measure != nil && now.Sub(c.memory.measured) >= measureEvery
}

func (c *Controller) measureShards(ctx context.Context, now time.Time) {
	c.memory.measured = now // also when it fails: it is not worth waiting for often
	ctx, cancel := context.WithTimeout(ctx, measureFor)
	defer cancel()
	bytes, err := c.measure(ctx)
	if err != nil {
		c.log.Warn("cannot find out the sizes of all shards, going on with those that are known", "known", len(bytes), "error", err)
	}
	if len(bytes) > 0 {
		c.memory.sizes = newSizes(bytes)
	}
}
