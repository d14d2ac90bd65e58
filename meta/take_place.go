package meta

import (
	"context"
	"slices"
)

// maxPlaceBytes bounds the values of one transaction of takePlace; etcd refuses
// requests over 1.5 MB.
const maxPlaceBytes = 1 << 20

// takePlace makes self an owner wherever a node was that it replaces, in as
// many transactions as that takes, and forgets then that it replaces any. Cut
// short anywhere it goes on from there: the nodes that are gone stay in the
// record of self until nothing names them any more, and nothing can name them
// anew, since they were removed in the transaction that made self.
//
// Self begins as joining: it has nothing, and gets everything from the others.
// Where the directory that is gone was the only replica, nobody has the data
// any more. Self then keeps an empty shard: a shard without an active owner
// would refuse all writes and reads until somebody came, and would give nothing
// back. That is an error in the log, with the ids of these shards.
func (s *Store) takePlace(ctx context.Context, self *Node) error {
	var lost []uint64
	defer func() {
		if len(lost) > 0 {
			s.log.Error("shards had their only replica on the node that is replaced: they are empty now", "node", self.ID, "replaces", self.replaces, "lost", len(lost), "shards", lost[:min(len(lost), 100)])
		}
	}()
	for done := false; !done; {
		var gone []uint64
		err := s.change(ctx, func(ctx context.Context, now *Snapshot) (ok bool, err error) {
			gone, done = nil, false
			have := now.node(self.ID)
			if have == nil || len(have.replaces) == 0 {
				done = true
				return true, nil
			}
			when := []Condition{s.nodeUnchanged(now, self.ID)}
			var ops []Op
			size := 0
			for _, g := range now.groups {
				to, empty, changed := replaceIn(&g.ShardGroup, have.replaces, self.ID)
				if !changed || !g.Live() {
					continue
				}
				value := encode(groupToRecord(to))
				if size += len(value) + len(g.key); len(ops) > 0 && (len(ops) == MaxOps-1 || size > maxPlaceBytes) {
					break
				}
				when = append(when, Condition{Key: g.key, Revision: g.modified})
				ops = append(ops, Put(g.key, value))
				gone = append(gone, empty...)
			}
			if len(ops) == 0 {
				done = true
				to := have.clone()
				to.replaces = nil
				ops = append(ops, Put(s.keys.node(self.ID), encode(nodeToRecord(to))))
			}
			return s.commit(ctx, "take the place of a node", when, ops)
		})
		if err != nil {
			return err
		}
		lost = append(lost, gone...)
	}
	return nil
}

// replaceIn gives a copy of g in which a node takes the place of others that
// are gone, and the shards of which nobody has the data any more. Without such
// owners nothing has changed.
func replaceIn(g *ShardGroup, gone []uint64, by uint64) (to *ShardGroup, lost []uint64, changed bool) {
	to = g
	for i := range g.Shards {
		owners, empty, ok := replaceOwners(g.Shards[i].Owners, gone, by)
		if !ok {
			continue
		}
		if empty {
			lost = append(lost, g.Shards[i].ID)
		}
		to = to.withShard(Shard{ID: g.Shards[i].ID, Revision: g.Shards[i].Revision + 1, Owners: owners})
		changed = true
	}
	return to, lost, changed
}

// replaceOwners does that with the owners of one shard. lost says that all that
// had the data are gone.
func replaceOwners(owners []Owner, gone []uint64, by uint64) (to []Owner, lost, changed bool) {
	joins := !slices.ContainsFunc(owners, func(o Owner) bool { return o.Node == by })
	for _, o := range owners {
		switch {
		case !slices.Contains(gone, o.Node):
			to = append(to, o)
		case o.State != Leaving && joins:
			to, changed, joins = append(to, Owner{by, Joining}), true, false
		default: // one that was leaving is replaced already
			changed = true
		}
	}
	if !changed || slices.ContainsFunc(to, func(o Owner) bool { return o.State == Active }) {
		return to, false, changed
	}
	// An owner that is leaving has all that was acknowledged: it stays. One that
	// was to be copied anew lacks something, but has more than nobody.
	for _, state := range []OwnerState{Leaving, Rebuild} {
		if i := slices.IndexFunc(to, func(o Owner) bool { return o.State == state }); i >= 0 {
			to[i].State = Active
			return to, false, true
		}
	}
	to = slices.DeleteFunc(to, func(o Owner) bool { return o.Node == by })
	return append([]Owner{{by, Active}}, to...), true, true
}
