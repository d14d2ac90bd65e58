package meta

import (
	"context"
	"fmt"
	"slices"

	"github.com/varvedb/varve/model"
)

// shardChange is what goes with the change of a shard's owners into the same
// transaction.
type shardChange struct {
	when []Condition // beyond that the group is as it was read
	ops  []Op
}

// changeShard changes the owners of a shard in one transaction, and gives its
// set of owners the next revision. edit gets a copy of the shard in a fresh
// Snapshot and changes it; it runs again when the transaction lost against
// another. An edit that leaves the owners as they are and has no ops is done.
// A shard that is not there, or whose group is marked deleted, is
// model.ErrNotFound.
func (s *Store) changeShard(ctx context.Context, doing string, fence Fence, shardID uint64, edit func(now *Snapshot, to *Shard) (shardChange, error)) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		of, from := now.Shard(shardID)
		if from == nil || !of.Live() {
			return false, shardNotFound(shardID)
		}
		to := Shard{ID: from.ID, Revision: from.Revision, Owners: slices.Clone(from.Owners)}
		also, err := edit(now, &to)
		if err != nil {
			return false, err
		}
		if slices.Equal(to.Owners, from.Owners) {
			if len(also.ops) == 0 {
				return true, nil
			}
			return s.fenced(ctx, doing, fence, also.when, also.ops)
		}
		to.Revision++
		g := now.group(of.ID)
		return s.fenced(ctx, doing, fence,
			append(also.when, Condition{Key: g.key, Revision: g.modified}),
			append(also.ops, Put(g.key, encode(groupToRecord(g.withShard(to))))))
	})
}

// withShard gives a copy of g with another version of one of its shards.
func (g *ShardGroup) withShard(sh Shard) *ShardGroup {
	to := *g
	to.Shards = slices.Clone(g.Shards)
	for i := range to.Shards {
		if to.Shards[i].ID == sh.ID {
			to.Shards[i] = sh
		}
	}
	return &to
}

// nodeUnchanged holds while a node is what it is in the snapshot: registered,
// draining or not. It guards what makes a node an owner.
func (s *Store) nodeUnchanged(now *Snapshot, id uint64) Condition {
	c := Condition{Key: s.keys.node(id)}
	if n := now.node(id); n != nil {
		c.Revision = n.modified
	}
	return c
}

func shardNotFound(id uint64) error {
	return &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("shard not found: %d", id)}
}
