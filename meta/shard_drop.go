package meta

import (
	"context"
	"slices"
	"time"
)

// DropShard removes what is in a shard; none of that id is no error. Its group
// goes with it when it is the only one. Else an empty shard with another id
// takes its place: the number of shards says where each series is, and must not
// change while the group lives. Data nodes remove the files once they see it.
func (s *Store) DropShard(ctx context.Context, id uint64) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		of, sh := now.Shard(id)
		if sh == nil || !of.Live() {
			return true, nil
		}
		g := now.group(of.ID)
		to := g.ShardGroup
		copies := s.setCopies(now, id, 0)
		when := append(copies.when, Condition{Key: g.key, Revision: g.modified})
		ops := copies.ops
		if len(g.Shards) == 1 {
			to.DeletedAt = time.Now().UnixNano()
		} else {
			when = append(when, s.idsUnchanged(now))
			ops = append(ops, s.takeIDs(now, 1))
			to.Shards = slices.Clone(g.Shards)
			i := slices.IndexFunc(to.Shards, func(sh Shard) bool { return sh.ID == id })
			to.Shards[i] = Shard{ID: now.counter.next, Revision: 1, Owners: emptyOwners(sh)}
		}
		return s.commit(ctx, "drop shard", when, append(ops, Put(g.key, encode(groupToRecord(&to)))))
	})
}

// emptyOwners gives the owners of the empty shard that takes the place of sh.
// Those that did not hold all of sh are left out, and are found anew if they are
// to have it.
func emptyOwners(sh *Shard) []Owner {
	all := slices.DeleteFunc(slices.Clone(sh.Owners), func(o Owner) bool { return !isActive(o) })
	if len(all) == 0 {
		all = slices.Clone(sh.Owners)
	}
	for i := range all {
		all[i].State = Active
	}
	return all
}
