package data

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

const (
	// prepareEvery is how often the node looks for shards whose time ends soon.
	prepareEvery = 10 * time.Second
	// preparePart is which part of a shard's time, at its end, the next shard is
	// prepared in, and prepareAtMost bounds it: series that come later are new there.
	preparePart   = 8
	prepareAtMost = time.Hour
	// prepareRate bounds the series a second: some percent of a processor.
	prepareRate = 50_000
	prepareStep = 1024
)

// preparer makes the series of shards whose time ends soon known in the shards
// that follow them, so that the first writes there, of all series at once, do
// not find a million new ones. What it does is the same as a write does first;
// each owner does it for its own replica.
func (n *Node) preparer(ctx context.Context) {
	every := time.NewTicker(prepareEvery)
	defer every.Stop()
	rate := pace.New(prepareRate)
	done := map[uint64]int{} // by shard: the series that were carried over from it
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		seen := map[uint64]int{}
		for h, shard := range n.shards.useOpen() {
			if ctx.Err() == nil {
				if before, ok := done[h.id]; ok {
					seen[h.id] = before
				}
				n.prepareNext(ctx, h.id, shard, seen, rate)
			}
			n.release(h)
		}
		done = seen
	}
}

// prepareNext prepares what follows a shard, if its time ends soon and it has
// got series since that was done.
func (n *Node) prepareNext(ctx context.Context, id uint64, shard *tsm.Shard, done map[uint64]int, rate *pace.Pace) {
	s := n.follow()
	g, _ := s.Shard(id)
	if g == nil || !g.Live() || g.End > model.MaxTime {
		return
	}
	now := n.clock.Wall().UnixNano()
	lead := min(prepareAtMost, time.Duration(g.End-g.Start)/preparePart)
	if now >= g.End || now < g.End-int64(lead) {
		return
	}
	info := shard.Info()
	if info.LastWrite.IsZero() || info.Series <= done[id]+done[id]/100 {
		return
	}
	next := s.Group(g.Policy, g.End)
	if next == nil || next.Start != g.End {
		return
	}
	for i := range next.Shards {
		to := &next.Shards[i]
		if n.stateIn(to) != meta.Active {
			continue
		}
		of := func(h model.SeriesHash) bool { return next.ShardOf(h).ID == to.ID }
		added, err := n.carryOver(ctx, shard, to.ID, of, rate)
		switch {
		case err == nil:
			n.log.Info("prepared shard", "shard", to.ID, "for", id, "series", added)
		case errors.Is(err, model.ErrNotFound), errors.Is(err, model.ErrClosed), ctx.Err() != nil:
			return // it is being removed, or this node stops
		default:
			// Series will be new there, that is all.
			n.log.Warn("shard could not be prepared", "shard", to.ID, "error", err)
		}
	}
	done[id] = info.Series
}

// carryOver prepares a shard with those series of another that it will keep.
func (n *Node) carryOver(ctx context.Context, from *tsm.Shard, to uint64, of func(model.SeriesHash) bool, rate *pace.Pace) (added int, err error) {
	r, err := from.Reader()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h, shard, err := n.shards.use(to)
	if err != nil {
		return 0, err
	}
	defer n.release(h)
	added, err = shard.Prepare(ctx, paced(ctx, r.Live(), of, rate))
	if err == nil {
		n.account(h, shard)
	}
	return added, err
}

// paced gives those series that are wanted, no faster than rate, until ctx ends.
func paced(ctx context.Context, all iter.Seq2[model.SeriesHash, []byte], wanted func(model.SeriesHash) bool, rate *pace.Pace) iter.Seq2[model.SeriesHash, []byte] {
	return func(yield func(model.SeriesHash, []byte) bool) {
		n := 0
		for h, key := range all {
			if n++; n%prepareStep == 0 && rate.Spend(ctx, prepareStep) != nil {
				return
			}
			if wanted(h) && !yield(h, key) {
				return
			}
		}
	}
}
