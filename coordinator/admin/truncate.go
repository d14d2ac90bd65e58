package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// The delay of truncate-shards: within the least of them all nodes have heard
// of the new ends.
const (
	minTruncateDelay = 5 * time.Second
	maxTruncateDelay = 24 * time.Hour
)

// truncate ends the current shard groups after a delay.
func (a *Admin) truncate(ctx context.Context, r adminapi.TruncateRequest) (any, error) {
	if r.Delay < minTruncateDelay || r.Delay > maxTruncateDelay {
		return nil, &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("the delay must be from %v to %v", minTruncateDelay, maxTruncateDelay)}
	}
	at := time.Now().Add(r.Delay).UTC().Truncate(time.Second)
	ended, err := a.Store.TruncateGroups(ctx, at, a.holdsLater)
	if err != nil {
		return nil, err
	}
	if ended == nil {
		ended = []uint64{}
	}
	return &adminapi.Truncated{At: at, Groups: ended}, nil
}

// holdsLater reports whether any replica of a group has rows from a time on.
// Every owner is asked, since rows may have been acknowledged by one alone.
func (a *Admin) holdsLater(ctx context.Context, g *meta.ShardGroup, at time.Time) (bool, error) {
	for _, sh := range g.Shards {
		for _, o := range sh.Owners {
			if o.State == meta.Joining || o.State == meta.Rebuild {
				continue // it has what the others have
			}
			r, err := a.times(ctx, o.Node, sh.ID)
			if err != nil {
				return false, fmt.Errorf("ask %s for the times in shard %d: %w", nameOf(a.Store.Snapshot(), o.Node), sh.ID, err)
			}
			if !r.Empty() && r.Max >= at.UnixNano() {
				return true, nil
			}
		}
	}
	return false, nil
}

func (a *Admin) times(ctx context.Context, node, shard uint64) (model.TimeRange, error) {
	if node == a.Store.Self() {
		return a.timesHere(ctx, shard)
	}
	var r model.TimeRange
	err := a.call(ctx, node, methodTimes, shard, &r)
	return r, err
}

func (a *Admin) timesHere(ctx context.Context, id uint64) (model.TimeRange, error) {
	g, _, err := a.shard(id)
	if err != nil || a.Local == nil {
		return model.TimeRange{}, orNoData(err)
	}
	return a.Local.Times(ctx, refOf(g, id))
}

// orNoData gives err, or that this node keeps no data.
func orNoData(err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("this node keeps no data: %w", model.ErrMoved)
}
