package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/coordinator/fanout"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// wantsQuorum reports whether a read must see what was acknowledged at quorum.
func (r *Reader) wantsQuorum(read *query.Read) bool {
	if read == nil || read.Consistency == query.ReadDefault {
		return r.cfg.ReadQuorum
	}
	return read.Consistency == query.ReadQuorum
}

// applied is what one owner holds.
type applied struct {
	candidate
	set *model.BatchSet
	err error
}

// ask gives what owners hold, in the order in which they answer, until enough
// says that it is enough or all have answered or ctx ends.
func (r *Reader) holdings(ctx context.Context, s part, owners []candidate, enough func([]applied) bool) (have []applied, failed []failure) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan applied, len(owners)) // holds all, so no call waits
	for _, o := range owners {
		started := r.writer.tasks.start(func() {
			set, err := guarded(ctx, o.peer, func(ctx context.Context, p data.Peer, _ func(func() error) error) (*model.BatchSet, error) {
				return p.Applied(ctx, s.ref())
			}, nil)
			answers <- applied{o, set, err}
		})
		if !started {
			answers <- applied{o, nil, errClosed}
		}
	}
	for range owners {
		select {
		case a := <-answers:
			if a.err != nil {
				failed = append(failed, failure{a.node, a.err})
				continue
			}
			if have = append(have, a); enough(have) {
				return have, failed
			}
		case <-ctx.Done():
			return have, failed
		}
	}
	return have, failed
}

// quorum asks more than half of the owners for what they hold, before and after
// a move that is under way, and gives the union, and the owners in the order in
// which they are to be asked for it. No owners mean that the shard's are others
// by now.
func (r *Reader) quorum(ctx context.Context, s part, owners []candidate, deadline time.Time) ([]candidate, *model.BatchSet, []failure, error) {
	asking, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	all := r.writer.ownersOf(s.shard)
	after, before := fanout.Sets(all)
	met := func(have []applied) bool {
		for _, set := range [][]uint64{after, before} {
			n := 0
			for _, a := range have {
				if slices.Contains(set, a.node) {
					n++
				}
			}
			if n < fanout.Needs(fanout.Quorum, all, set) {
				return false
			}
		}
		return true
	}
	have, failed := r.holdings(asking, s, owners, met)
	if !met(have) {
		if ctx.Err() != nil {
			return nil, nil, nil, context.Cause(ctx)
		}
		if slices.ContainsFunc(failed, func(f failure) bool { return errors.Is(f.err, model.ErrMoved) }) {
			return nil, nil, failed, nil
		}
		return nil, nil, nil, fmt.Errorf("%w: read consistency not met: %d of %d owners of shard %d answer: %s",
			model.ErrUnavailable, len(have), max(fanout.Needs(fanout.Quorum, all, after), fanout.Needs(fanout.Quorum, all, before)), s.shard.ID, r.reasons(failed))
	}
	union := &model.BatchSet{}
	for _, a := range have {
		union.AddAll(a.set)
	}
	var holders, others []candidate
	for _, o := range owners {
		i := slices.IndexFunc(have, func(a applied) bool { return a.node == o.node })
		if i >= 0 && have[i].set.ContainsAll(union) {
			holders = append(holders, o)
		} else {
			o.peer = catchingUp{o.peer, deadline}
			others = append(others, o)
		}
	}
	return append(holders, others...), union, nil, nil
}

// catchingUp is an owner that lacks what a read must contain. It has until a
// deadline to get it; the read itself may take longer.
type catchingUp struct {
	data.Peer
	deadline time.Time
}

func (c catchingUp) wait(ctx context.Context, ref data.ReadRef) error {
	waiting, cancel := context.WithDeadline(ctx, c.deadline)
	defer cancel()
	_, err := c.Peer.Schema(waiting, ref, model.IsMeasurement("")) // there is none of that name
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: what it lacks has not come in time", model.ErrBehind)
	}
	return err
}

func (c catchingUp) Scan(ctx context.Context, ref data.ReadRef, f *plan.Fragment, emit func(*exec.Partial) error) error {
	if err := c.wait(ctx, ref); err != nil {
		return err
	}
	return c.Peer.Scan(ctx, ref, f, emit)
}

func (c catchingUp) List(ctx context.Context, ref data.ReadRef, q *exec.ListRequest) (*exec.List, error) {
	if err := c.wait(ctx, ref); err != nil {
		return nil, err
	}
	return c.Peer.List(ctx, ref, q)
}

func (c catchingUp) Schema(ctx context.Context, ref data.ReadRef, where *model.Predicate) ([]data.Measurement, error) {
	if err := c.wait(ctx, ref); err != nil {
		return nil, err
	}
	return c.Peer.Schema(ctx, ref, where)
}
