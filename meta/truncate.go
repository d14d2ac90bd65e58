package meta

import (
	"context"
	"time"
)

// TruncateGroups ends the groups that hold at at that time, so that points
// from then on go to new groups, with owners among the nodes of now. It gives
// the ids of those that it ended.
//
// A group must hold nothing at or after at, since that would not be found any
// more: holds says so for one group, and a group for which it does is left
// alone. at lies so far ahead that all coordinators know the new end before
// then; the owner sets get a new revision, so that one that does not is refused.
func (s *Store) TruncateGroups(ctx context.Context, at time.Time, holds func(context.Context, *ShardGroup, time.Time) (bool, error)) (ended []uint64, err error) {
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	for g := range s.Snapshot().AllGroups {
		if !g.Live() || at.UnixNano() <= g.Start || g.End <= at.UnixNano() {
			continue
		}
		late, err := holds(ctx, g, at)
		if err != nil {
			return ended, err
		}
		if late {
			s.log.Warn("left a shard group as it is, it has points of later times", "group", g.ID, "time", at)
			continue
		}
		if err := s.truncateGroup(ctx, g.ID, at.UnixNano()); err != nil {
			return ended, err
		}
		ended = append(ended, g.ID)
	}
	return ended, nil
}

func (s *Store) truncateGroup(ctx context.Context, id uint64, at int64) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		g := now.group(id)
		if g == nil || !g.Live() || g.End <= at {
			return true, nil
		}
		to := g.ShardGroup
		to.End = at
		to.Shards = make([]Shard, len(g.Shards))
		for i, sh := range g.Shards {
			sh.Revision++
			to.Shards[i] = sh
		}
		return s.commit(ctx, "truncate shard group",
			[]Condition{{Key: g.key, Revision: g.modified}},
			[]Op{Put(g.key, encode(groupToRecord(&to)))})
	})
}
