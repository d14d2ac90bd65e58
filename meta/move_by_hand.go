package meta

import (
	"context"
)

// CopyShard gives a shard another owner, to, beyond those that its policy asks
// for; it stays one until RemoveShard. The data comes from whichever owners
// have it.
func (s *Store) CopyShard(ctx context.Context, shardID, to uint64) error {
	return s.changeOwners(ctx, "copy shard", Fence{}, shardID, func(c *ownerChange) error {
		if o := c.owner(to); o != nil && o.State != Joining && o.State != Rebuild {
			return c.refuse("node %d is an owner already, %s", to, o.State)
		}
		if err := c.reachable(to); err != nil {
			return err
		}
		had := len(c.shard.Owners)
		if err := c.add(to, 0, ByHand); err != nil {
			return err
		}
		if len(c.shard.Owners) > max(had, c.now.Wanted(shardID)) {
			c.setCopies(len(c.shard.Owners))
		}
		return nil
	})
}

// MoveShard moves a replica from one node to another.
func (s *Store) MoveShard(ctx context.Context, shardID, from, to uint64) error {
	return s.changeOwners(ctx, "move shard", Fence{}, shardID, func(c *ownerChange) error {
		if err := c.reachable(to); err != nil {
			return err
		}
		return c.add(to, from, ByHand)
	})
}

// RemoveShard takes a replica off a node: one that is alive leaves once the
// others hold all that it holds, any other goes at once. The last active
// replica is refused. A shard that has fewer owners then than its policy asks
// for gets another by itself.
func (s *Store) RemoveShard(ctx context.Context, shardID, node uint64) error {
	return s.changeOwners(ctx, "remove shard", Fence{}, shardID, func(c *ownerChange) error {
		o := c.owner(node)
		if o == nil {
			return c.refuse("node %d is no owner", node)
		}
		if had := c.now.copies(shardID); had > 0 {
			if had--; had <= c.policyWants() {
				had = 0
			}
			c.setCopies(had)
		}
		if o.State == Active && c.now.Alive(node) {
			return c.retire(node, ByHand)
		}
		c.drop(node)
		return nil
	})
}

// CancelMove gives up a move whose copy has not ended. One that has got beyond
// that goes on, and none is no error.
func (s *Store) CancelMove(ctx context.Context, shardID uint64) error {
	return s.changeOwners(ctx, "cancel move", Fence{}, shardID, func(c *ownerChange) error {
		if c.move == nil {
			return nil
		}
		if o := c.owner(c.move.To); o != nil && (o.State == Joining || o.State == Rebuild) {
			c.drop(o.Node)
		}
		return nil
	})
}

// reachable refuses a node that could not begin to copy now.
func (c *ownerChange) reachable(node uint64) error {
	switch n := c.now.Node(node); {
	case n == nil:
		return nodeNotFound(node)
	case !n.TakesData():
		return c.refuse("node %d takes no data", node)
	case !c.now.Alive(node):
		return c.refuse("node %d is not alive", node)
	}
	return nil
}

// policyWants gives the replication factor of the shard's policy.
func (c *ownerChange) policyWants() int {
	if g, _ := c.now.Shard(c.shard.ID); g != nil {
		if _, p := c.now.Policy(g.Policy); p != nil {
			return c.now.Factor(p)
		}
	}
	return 1
}

func (c *ownerChange) setCopies(owners int) {
	also := c.store.setCopies(c.now, c.shard.ID, owners)
	c.also.when = append(c.also.when, also.when...)
	c.also.ops = append(c.also.ops, also.ops...)
}
