package meta

import (
	"context"
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// maxGroups bounds the live groups of one policy: a writer with timestamps by
// chance would fill the metadata of every node. All of time in groups of a
// week are 30,500.
const maxGroups = 50_000

// EnsureGroup gives the live group of a policy that holds t, and makes it when
// there is none. Groups made this way begin with an empty schema.
//
// A new group begins and ends where the policy's shard duration says, counted
// from year 1 as time.Truncate does, but ends where a neighbour begins: one
// that was made with another shard duration keeps its span.
func (s *Store) EnsureGroup(ctx context.Context, policyUID uint64, t int64) (*ShardGroup, error) {
	if g := s.Snapshot().Group(policyUID, t); g != nil {
		return g, nil
	}
	return s.createGroup(ctx, policyUID, t, nil, Fence{})
}

// createGroup makes a group. ids are those of the group and its shards, nil to
// take new ones; those given must be enough.
func (s *Store) createGroup(ctx context.Context, policyUID uint64, t int64, ids *reservedIDs, fence Fence) (*ShardGroup, error) {
	if !model.AllTime.Contains(t) {
		return nil, invalid(fmt.Sprintf("time %d is outside the range that can be stored", t))
	}
	var g *ShardGroup
	err := s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d, p := now.policy(policyUID)
		if p == nil {
			return false, &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("retention policy not found: uid %d", policyUID)}
		}
		if g = now.Group(policyUID, t); g != nil {
			return true, nil
		}
		if len(now.live(policyUID)) >= maxGroups {
			return false, &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("retention policy %s has too many shard groups: %d", p.Name, maxGroups)}
		}
		taken := ids
		if taken == nil {
			taken = &reservedIDs{first: now.counter.next, n: 1 + shardCount(now, p)}
		}
		g = &ShardGroup{ID: taken.first, Database: d.UID, Policy: p.UID}
		g.Start, g.End = span(now.live(policyUID), p.ShardDuration, t)
		var err error
		if g.Shards, err = place(now, p, *taken); err != nil {
			return false, err
		}
		take := s.takeIDs(now, taken.n)
		if ids != nil {
			take = s.takeIDs(now, 0) // taken before; writing it orders this among other creations
		}
		return s.fenced(ctx, "create shard group", fence,
			[]Condition{{Key: s.keys.database(d.UID), Revision: d.modified}, s.idsUnchanged(now)},
			[]Op{Put(s.keys.group(d.UID, p.UID, g.Start), encode(groupToRecord(g))), take})
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// span gives the start and the end of a new group that holds t among the live
// ones, none of which does.
func span(live []*ShardGroup, d time.Duration, t int64) (start, end int64) {
	from := time.Unix(0, t).UTC().Truncate(d)
	start, end = clampTime(from), clampTime(from.Add(d))
	for _, g := range live {
		if g.End <= t {
			start = max(start, g.End)
		} else {
			end = min(end, g.Start)
		}
	}
	return start, end
}

// clampTime gives t in nanoseconds, within what points may have. The end of a
// group is exclusive, hence one more.
func clampTime(t time.Time) int64 {
	switch first, last := time.Unix(0, model.MinTime), time.Unix(0, model.MaxTime+1); {
	case t.Before(first):
		return model.MinTime
	case t.After(last):
		return model.MaxTime + 1
	}
	return t.UnixNano()
}

// reservedIDs is n ids in a row: the group's, then those of its shards.
type reservedIDs struct{ first, n uint64 }

// Succeed makes the group that follows a live one, with a copy of the types
// that were used in it, unless there is a group already. The schema is there
// before the group, so no writer can meet half of it.
func (s *Store) Succeed(ctx context.Context, fence Fence, groupID uint64) (*ShardGroup, error) {
	now := s.Snapshot()
	from := now.GroupByID(groupID)
	if from == nil || !from.Live() {
		return nil, groupNotFound(groupID)
	}
	if from.End > model.MaxTime {
		return nil, invalid("no time comes after the last shard group")
	}
	if next := now.Group(from.Policy, from.End); next != nil {
		return next, nil
	}
	_, p := now.Policy(from.Policy)
	if p == nil {
		return nil, groupNotFound(groupID)
	}
	ids, err := s.reserveIDs(ctx, fence, 1+shardCount(now, p))
	if err != nil {
		return nil, err
	}
	if err := s.copySchema(ctx, fence, now.schema(groupID), ids.first); err != nil {
		return nil, err
	}
	return s.createGroup(ctx, from.Policy, from.End, &ids, fence)
}

func (s *Store) reserveIDs(ctx context.Context, fence Fence, n uint64) (ids reservedIDs, err error) {
	err = s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		ids = reservedIDs{first: now.counter.next, n: n}
		return s.fenced(ctx, "reserve ids", fence, []Condition{s.idsUnchanged(now)}, []Op{s.takeIDs(now, n)})
	})
	return ids, err
}

// DeleteGroup marks a group deleted: it holds no points any more, and data
// nodes remove its shards.
func (s *Store) DeleteGroup(ctx context.Context, fence Fence, groupID uint64, at time.Time) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		g := now.group(groupID)
		if g == nil || !g.Live() {
			return true, nil
		}
		to := g.ShardGroup
		to.DeletedAt = at.UnixNano()
		return s.fenced(ctx, "delete shard group", fence,
			[]Condition{{Key: g.key, Revision: g.modified}},
			[]Op{Put(g.key, encode(groupToRecord(&to)))})
	})
}

// PruneGroup forgets a group that is marked deleted, and its schema; a schema
// without a group is forgotten, too.
func (s *Store) PruneGroup(ctx context.Context, fence Fence, groupID uint64) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		ops := []Op{DeletePrefix(s.keys.schema(groupID))}
		g := now.group(groupID)
		if g == nil {
			return s.fenced(ctx, "prune schema", fence, nil, ops)
		}
		if g.Live() {
			return false, conflict(fmt.Sprintf("shard group %d is not marked deleted", groupID))
		}
		return s.fenced(ctx, "prune shard group", fence,
			[]Condition{{Key: g.key, Revision: g.modified}}, append(ops, Delete(g.key)))
	})
}

// Orphans gives the ids of groups that are gone while their schema is not,
// because the database or policy was dropped or a Succeed was cut short.
func (s *Snapshot) Orphans() []uint64 {
	var ids []uint64
	for _, g := range s.schemas {
		if s.group(g.group) == nil {
			ids = append(ids, g.group)
		}
	}
	return ids
}

func groupNotFound(id uint64) error {
	return &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("shard group not found: %d", id)}
}
