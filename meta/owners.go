package meta

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
)

// The steps by which the owners of a shard change (see the design of
// replication). Each is one transaction that gives the set of owners its next
// revision, or nothing when the step was made before: any of them may be
// repeated. What would break a rule is refused with model.ErrConflict, however
// old the caller's view was:
//
//   - a shard never loses its last active owner;
//   - one Move at a time, one owner leaving at a time;
//   - an owner becomes active only from joining and goes only from leaving,
//     unless somebody who may say so gave it up.
//
// A shard that was dropped is model.ErrNotFound.

// AddOwner begins a Move: node becomes a joining owner, in place of the owner
// replaces, or of nobody when that is 0.
func (s *Store) AddOwner(ctx context.Context, fence Fence, shardID, node, replaces uint64, why Reason) error {
	return s.changeOwners(ctx, "add owner", fence, shardID, func(c *ownerChange) error {
		return c.add(node, replaces, why)
	})
}

// Activate ends the joining of self, which has caught up with the others. The
// owner that it replaces becomes leaving.
func (s *Store) Activate(ctx context.Context, shardID, self uint64) error {
	return s.changeOwners(ctx, "activate owner", Fence{}, shardID, func(c *ownerChange) error { return c.activate(self) })
}

// Leave takes self, which is leaving, out of the set: every other owner knows
// that it leaves and holds all that it holds.
func (s *Store) Leave(ctx context.Context, shardID, self uint64) error {
	return s.changeOwners(ctx, "leave shard", Fence{}, shardID, func(c *ownerChange) error {
		switch o := c.owner(self); {
		case o == nil:
			return nil
		case o.State != Leaving:
			return c.refuse("node %d is %s, not leaving", self, o.State)
		}
		c.drop(self)
		return nil
	})
}

// Retire begins a Move without a new owner: node becomes leaving, for a shard
// that has more owners than it is to have. As many as that must remain active
// and alive, unless why is ByHand.
func (s *Store) Retire(ctx context.Context, fence Fence, shardID, node uint64, why Reason) error {
	return s.changeOwners(ctx, "retire owner", fence, shardID, func(c *ownerChange) error { return c.retire(node, why) })
}

// Restore makes a leaving owner active again. It has been an owner all the time
// and lacks nothing; that is the way out when an owner that it waits for is gone.
func (s *Store) Restore(ctx context.Context, fence Fence, shardID, node uint64) error {
	return s.changeOwners(ctx, "restore owner", fence, shardID, func(c *ownerChange) error {
		switch o := c.owner(node); {
		case o == nil:
			return c.refuse("node %d is no owner", node)
		case o.State == Active:
			return nil
		case o.State != Leaving:
			return c.refuse("node %d is %s, not leaving", node, o.State)
		}
		c.restore()
		return nil
	})
}

// RemoveOwner takes a node out of the set whatever its state. What only it
// holds comes back as leftovers, if ever. A joining owner that goes gives up
// its Move; the one that it was to replace stays.
func (s *Store) RemoveOwner(ctx context.Context, fence Fence, shardID, node uint64) error {
	return s.changeOwners(ctx, "remove owner", fence, shardID, func(c *ownerChange) error {
		if c.owner(node) != nil {
			c.drop(node)
		}
		return nil
	})
}

// MarkRebuild says that an owner has to copy the shard anew: it was away for
// longer than logs are kept, or its replica is damaged. by must be active, or
// be node itself; an active owner must remain.
//
// Others may not be marked until they would be a quorum: behind a partition
// they may acknowledge writes to each other until they learn of the marks, and
// whoever copies the rest meanwhile would answer a quorum read without these.
//
// A leaving owner does not copy, it is out. When another than it is marked it
// becomes active again: whom it waits for has gone back to the beginning.
func (s *Store) MarkRebuild(ctx context.Context, by, shardID, node uint64) error {
	return s.changeOwners(ctx, "mark for rebuild", Fence{}, shardID, func(c *ownerChange) error {
		if by != node {
			if o := c.owner(by); o == nil || o.State != Active {
				return c.refuse("node %d is not active and cannot mark node %d for rebuild", by, node)
			}
		}
		switch o := c.owner(node); {
		case o == nil || o.State == Rebuild:
			return nil
		case o.State == Leaving:
			c.drop(node)
		case o.State == Active:
			if by != node && c.markedWith(node) {
				return c.refuse("with node %d those that are to be rebuilt would be a quorum", node)
			}
			o.State = Rebuild
			c.restore()
		default:
			o.State = Rebuild
		}
		return nil
	})
}

// Rejoin begins to copy the shard to self anew.
func (s *Store) Rejoin(ctx context.Context, shardID, self uint64) error {
	return s.changeOwners(ctx, "rejoin shard", Fence{}, shardID, func(c *ownerChange) error {
		switch o := c.owner(self); {
		case o == nil:
			return c.refuse("node %d is no owner", self)
		case o.State == Joining:
		case o.State == Rebuild:
			o.State = Joining
		default:
			return c.refuse("node %d is %s, not to be rebuilt", self, o.State)
		}
		return nil
	})
}

// ForgetMove removes the record of a move whose shard was dropped or whose
// nodes are at rest. One in progress stays.
func (s *Store) ForgetMove(ctx context.Context, fence Fence, shardID uint64) error {
	err := s.changeOwners(ctx, "forget move", fence, shardID, func(*ownerChange) error { return nil })
	if !errors.Is(err, model.ErrNotFound) {
		return err
	}
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		m := now.move(shardID)
		if m == nil {
			return true, nil
		}
		key := s.keys.move(shardID)
		return s.fenced(ctx, "forget move", fence, []Condition{{Key: key, Revision: m.modified}}, []Op{Delete(key)})
	})
}

// changeOwners runs edit on a fresh view and commits what it did: the owners
// and the move together, if neither has changed meanwhile.
func (s *Store) changeOwners(ctx context.Context, doing string, fence Fence, shardID uint64, edit func(*ownerChange) error) error {
	return s.changeShard(ctx, doing, fence, shardID, func(now *Snapshot, to *Shard) (shardChange, error) {
		c := &ownerChange{store: s, now: now, shard: to, move: now.Move(shardID)}
		c.settle() // what is left of a move whose node was replaced by another
		before := slices.Clone(to.Owners)
		if err := edit(c); err != nil {
			return shardChange{}, err
		}
		c.settle()
		if err := c.check(before); err != nil {
			return shardChange{}, err
		}
		return c.result(before), nil
	})
}

// ownerChange is one change of a shard's owners under way.
type ownerChange struct {
	store *Store
	now   *Snapshot
	shard *Shard // a copy, to be changed
	move  *Move  // as it is to be; nil: none
	also  shardChange
}

func (c *ownerChange) add(node, replaces uint64, why Reason) error {
	if node == 0 || node == replaces {
		return c.refuse("node %d cannot take the place of node %d", node, replaces)
	}
	if o := c.owner(node); o != nil {
		ours := c.move != nil && c.move.To == node && c.move.From == replaces
		over := c.move == nil && o.State == Active && c.owner(replaces) == nil
		if ours || over {
			return nil
		}
		return c.refuse("node %d is an owner already, %s", node, o.State)
	}
	if c.move != nil || c.leaving() != nil {
		return c.refuse("its owners are changing already")
	}
	if !c.anyActive() {
		return c.refuse("no active owner is there to copy from")
	}
	if replaces != 0 {
		if o := c.owner(replaces); o == nil || o.State != Active && o.State != Rebuild {
			return c.refuse("node %d is not an owner that can be replaced", replaces)
		}
	}
	n := c.now.Node(node)
	if n == nil || !n.Has(RoleData) {
		return c.refuse("there is no data node %d", node)
	}
	if why == ForBalance {
		// A plan that was cancelled must not go on in the hands of a
		// controller that has not seen it yet.
		plan := c.now.control.rebalance
		if plan == nil {
			return c.refuse("there is no rebalance under way")
		}
		c.also.when = append(c.also.when, Condition{Key: c.store.keys.rebalance(), Revision: plan.modified})
	}
	c.also.when = append(c.also.when, c.store.nodeUnchanged(c.now, node))
	c.shard.Owners = append(c.shard.Owners, Owner{Node: node, State: Joining})
	c.move = &Move{Shard: c.shard.ID, To: node, From: replaces, Why: why, Started: time.Now()}
	return nil
}

func (c *ownerChange) activate(node uint64) error {
	switch o := c.owner(node); {
	case o == nil:
		return c.refuse("node %d is no owner", node)
	case o.State == Active:
		return nil
	case o.State != Joining:
		return c.refuse("node %d is %s, not joining", node, o.State)
	default:
		o.State = Active
	}
	if c.move == nil || c.move.To != node {
		return nil
	}
	switch from := c.owner(c.move.From); {
	case from == nil:
	case from.State == Active:
		from.State = Leaving
	case from.State != Leaving:
		c.drop(from.Node) // it counts for nothing, so there is nothing to leave
	}
	return nil
}

func (c *ownerChange) retire(node uint64, why Reason) error {
	switch o := c.owner(node); {
	case o == nil || o.State == Leaving:
	case c.move != nil || c.leaving() != nil:
		return c.refuse("its owners are changing already")
	case o.State != Active:
		c.drop(node)
	case why != ByHand && c.serving(node) < c.now.Wanted(c.shard.ID):
		return c.refuse("it would have %d active owners that are alive, and is to have %d", c.serving(node), c.now.Wanted(c.shard.ID))
	default:
		o.State = Leaving
		c.move = &Move{Shard: c.shard.ID, From: node, Why: why, Started: time.Now()}
	}
	return nil
}

// serving counts the active owners that are alive, but for one.
func (c *ownerChange) serving(without uint64) (n int) {
	for _, o := range c.shard.Owners {
		if o.Node != without && o.State == Active && c.now.Alive(o.Node) {
			n++
		}
	}
	return n
}

// markedWith reports whether the owners that are to be rebuilt, and node, are
// more than half of those and the active ones.
func (c *ownerChange) markedWith(node uint64) bool {
	marked, all := 0, 0
	for _, o := range c.shard.Owners {
		if o.State == Rebuild || o.Node == node {
			marked++
		}
		if o.State == Rebuild || o.State == Active {
			all++
		}
	}
	return marked > all/2
}

// restore makes the leaving owner active again, if there is one.
func (c *ownerChange) restore() {
	if o := c.leaving(); o != nil {
		o.State = Active
	}
}

func (c *ownerChange) drop(node uint64) {
	c.shard.Owners = slices.DeleteFunc(c.shard.Owners, func(o Owner) bool { return o.Node == node })
}

// settle forgets the move when nothing of it is left to do.
func (c *ownerChange) settle() {
	if c.move == nil {
		return
	}
	to, from := c.owner(c.move.To), c.owner(c.move.From)
	joins := to != nil && (to.State == Joining || to.State == Rebuild)
	leaves := from != nil && from.State == Leaving
	if !joins && !leaves {
		c.move = nil
	}
}

// check says which rule the change would break.
func (c *ownerChange) check(before []Owner) error {
	leaving := 0
	for i, o := range c.shard.Owners {
		if slices.ContainsFunc(c.shard.Owners[:i], func(p Owner) bool { return p.Node == o.Node }) {
			return c.refuse("node %d would be an owner twice", o.Node)
		}
		if o.State == Leaving {
			leaving++
		}
	}
	switch {
	case leaving > 1:
		return c.refuse("two owners would leave at a time")
	case len(c.shard.Owners) == 0 || !c.anyActive() && slices.ContainsFunc(before, isActive):
		return c.refuse("it would lose its last active owner")
	}
	return nil
}

func (c *ownerChange) result(before []Owner) shardChange {
	cond := Condition{Key: c.store.keys.move(c.shard.ID)}
	var was Move
	if m := c.now.move(c.shard.ID); m != nil {
		cond.Revision, was = m.modified, m.Move
	}
	c.also.when = append(c.also.when, cond)
	switch {
	case c.move == nil && cond.Revision != 0:
		c.also.ops = append(c.also.ops, Delete(cond.Key))
	case c.move != nil && *c.move != was:
		c.also.ops = append(c.also.ops, Put(cond.Key, encode(moveToRecord(c.move))))
	}
	if len(c.also.ops) > 0 && slices.Equal(before, c.shard.Owners) {
		// changeShard looks at the group only when the owners change.
		g, _ := c.now.Shard(c.shard.ID)
		of := c.now.group(g.ID)
		c.also.when = append(c.also.when, Condition{Key: of.key, Revision: of.modified})
	}
	return c.also
}

func (c *ownerChange) owner(node uint64) *Owner {
	for i := range c.shard.Owners {
		if c.shard.Owners[i].Node == node {
			return &c.shard.Owners[i]
		}
	}
	return nil
}

func (c *ownerChange) leaving() *Owner {
	for i := range c.shard.Owners {
		if c.shard.Owners[i].State == Leaving {
			return &c.shard.Owners[i]
		}
	}
	return nil
}

func (c *ownerChange) anyActive() bool { return slices.ContainsFunc(c.shard.Owners, isActive) }

func isActive(o Owner) bool { return o.State == Active }

func (c *ownerChange) refuse(format string, args ...any) error {
	return conflict(fmt.Sprintf("shard %d: %s", c.shard.ID, fmt.Sprintf(format, args...)))
}
