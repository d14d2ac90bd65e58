package meta

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
)

// maxGroups bounds the live groups of one policy: a writer with timestamps by
// chance would fill the metadata of every node. All of time in groups of a
// week are 30,500.
const maxGroups = 50_000

// maxGroupBytes bounds what one transaction makes of groups, beyond the last:
// etcd refuses requests over 1.5 MB.
const maxGroupBytes = 512 << 10

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

// EnsureGroups does as EnsureGroup for many times, and makes as many groups with
// one transaction as that takes. What was made before an error stays, so that
// the next try begins there.
func (s *Store) EnsureGroups(ctx context.Context, policyUID uint64, times []int64) error {
	for len(times) > 0 {
		groups, err := s.createGroups(ctx, policyUID, times, nil, Fence{})
		if err != nil {
			return err
		}
		times = times[len(groups):]
	}
	return nil
}

func (s *Store) createGroup(ctx context.Context, policyUID uint64, t int64, ids *reservedIDs, fence Fence) (*ShardGroup, error) {
	groups, err := s.createGroups(ctx, policyUID, []int64{t}, ids, fence)
	if err != nil {
		return nil, err
	}
	return groups[0], nil
}

// createGroups gives the groups of the first of some times, as many as fit one
// transaction, and makes those that are missing. ids are those of the group
// and its shards, nil to take new ones; those given must be enough, and are for
// one time.
func (s *Store) createGroups(ctx context.Context, policyUID uint64, times []int64, ids *reservedIDs, fence Fence) (groups []*ShardGroup, err error) {
	err = s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d, p := now.policy(policyUID)
		if p == nil {
			return false, &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("retention policy not found: uid %d", policyUID)}
		}
		live := slices.Clone(now.live(policyUID))
		taken := uint64(0) // 0 where ids were taken before; writing the counter orders this among other creations
		groups = nil
		var ops []Op
		size := 0
		for _, t := range times {
			if !model.AllTime.Contains(t) {
				return false, invalid(fmt.Sprintf("time %d is outside the range that can be stored", t))
			}
			after := groupAfter(live, t)
			if after > 0 && live[after-1].Contains(t) {
				groups = append(groups, live[after-1])
				continue
			}
			if len(ops) == MaxOps-2 || size > maxGroupBytes { // the counter and "changed" are written, too
				break
			}
			if len(live) >= maxGroups {
				return false, &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("retention policy %s has too many shard groups: %d", p.Name, maxGroups)}
			}
			use := ids
			if use == nil {
				use = &reservedIDs{first: now.counter.next + taken, n: 1 + shardCount(now, p)}
				taken += use.n
			}
			g := &ShardGroup{ID: use.first, Database: d.UID, Policy: p.UID}
			g.Start, g.End = span(live, after, p.ShardDuration, t)
			var err error
			if g.Shards, err = place(now, p, *use); err != nil {
				return false, err
			}
			op := Put(s.keys.group(d.UID, p.UID, g.Start), encode(groupToRecord(g)))
			ops, size = append(ops, op), size+len(op.Key)+len(op.Value)
			groups, live = append(groups, g), slices.Insert(live, after, g)
		}
		if len(ops) == 0 {
			return true, nil
		}
		return s.fenced(ctx, "create shard groups", fence,
			[]Condition{{Key: s.keys.database(d.UID), Revision: d.modified}, s.idsUnchanged(now)},
			append(ops, s.takeIDs(now, taken)))
	})
	return groups, err
}

// groupAfter gives the place of the first of a policy's live groups that begins
// after t; only the one before it may hold t.
func groupAfter(live []*ShardGroup, t int64) int {
	i, ok := slices.BinarySearchFunc(live, t, compareStart)
	if ok {
		i++
	}
	return i
}

// span gives the start and the end of a new group that holds t among the live
// ones, none of which does; the one at after is the first that begins later.
func span(live []*ShardGroup, after int, d time.Duration, t int64) (start, end int64) {
	from := time.Unix(0, t).UTC().Truncate(d)
	start, end = clampTime(from), clampTime(from.Add(d))
	if after > 0 {
		start = max(start, live[after-1].End)
	}
	if after < len(live) {
		end = min(end, live[after].Start)
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
