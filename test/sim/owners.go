package sim

import (
	"fmt"
	"slices"

	"github.com/varvedb/varve/data/replica"
)

// The transitions of a replica's owner. Each is one transaction, refused when
// its condition does not hold any more.

// addOwner begins to make node an owner, in the place of replaces if that is
// not 0.
func (m *metadata) addOwner(shard, node, replaces uint64) bool {
	return m.changeShard(shard, fmt.Sprintf("add owner %d for %d", node, replaces), func(s *metaShard) bool {
		if s.owner(node) != nil {
			return false
		}
		for _, o := range s.owners {
			if o.state == replica.Joining || o.state == replica.Leaving {
				return false // one move at a time
			}
		}
		s.owners = append(s.owners, metaOwner{node: node, state: replica.Joining, replaces: replaces})
		return true
	})
}

// activate makes a joining owner that has caught up an active one; the one that
// it replaces leaves.
func (m *metadata) activate(shard, self, revision uint64) bool {
	return m.changeShard(shard, fmt.Sprintf("activate %d", self), func(s *metaShard) bool {
		o := s.owner(self)
		if s.revision != revision || o == nil || o.state != replica.Joining {
			return false
		}
		o.state = replica.Active
		if old := s.owner(o.replaces); old != nil {
			switch old.state {
			case replica.Active:
				old.state = replica.Leaving
			case replica.Rebuild, replica.Joining:
				replaced := old.node
				s.owners = slices.DeleteFunc(s.owners, func(o metaOwner) bool { return o.node == replaced })
			}
		}
		return true
	})
}

// leave takes a leaving owner out of the set: all others hold what it holds.
func (m *metadata) leave(shard, self, revision uint64) bool {
	return m.changeShard(shard, fmt.Sprintf("leave %d", self), func(s *metaShard) bool {
		o := s.owner(self)
		if s.revision != revision || o == nil || o.state != replica.Leaving {
			return false
		}
		m.w.checkConfirmed(s, self)
		s.remove(self)
		return true
	})
}

// removeOwner takes an owner out that will not do so itself; never the last
// active one.
func (m *metadata) removeOwner(shard, node uint64) bool {
	return m.changeShard(shard, fmt.Sprintf("remove owner %d", node), func(s *metaShard) bool {
		o := s.owner(node)
		if o == nil || o.state == replica.Active && s.count(replica.Active) < 2 {
			return false
		}
		s.remove(node)
		m.w.ownerRemoved(shard, node)
		return true
	})
}

// restore makes a leaving owner active when no other is: it lacks nothing.
func (s *metaShard) restore() bool {
	return s.count(replica.Active) > 0 || s.reactivate(replica.Leaving)
}

// revive makes an owner active that has more than one that begins with nothing,
// when no better is left.
func (s *metaShard) revive() bool { return s.restore() || s.reactivate(replica.Rebuild) }

func (s *metaShard) reactivate(from replica.State) bool {
	for i := range s.owners {
		if s.owners[i].state == from {
			s.owners[i].state = replica.Active
			return true
		}
	}
	return false
}

func (s *metaShard) remove(node uint64) {
	s.owners = slices.DeleteFunc(s.owners, func(o metaOwner) bool { return o.node == node })
	for i := range s.owners {
		if s.owners[i].replaces == node {
			s.owners[i].replaces = 0
		}
	}
}

// markRebuild says of an owner that its replica must be made anew. The marker
// must be an active owner itself, or leave one.
func (m *metadata) markRebuild(by, shard, node uint64) bool {
	return m.changeShard(shard, fmt.Sprintf("%d marks %d", by, node), func(s *metaShard) bool {
		o, marker := s.owner(node), s.owner(by)
		if o == nil || marker == nil || o.state == replica.Rebuild {
			return false
		}
		marked := s.count(replica.Rebuild) + 1
		if by != node && o.state == replica.Active && marked > s.count(replica.Rebuild, replica.Active)/2 {
			return false
		}
		o.state = replica.Rebuild
		m.w.ownerRemoved(shard, node)
		s.restore()
		m.w.stats.Marks++
		return s.owner(by).state == replica.Active || by == node && s.count(replica.Active) > 0
	})
}

// rejoin begins to make the replica of an owner that was marked anew.
func (m *metadata) rejoin(shard, self uint64) bool {
	return m.changeShard(shard, fmt.Sprintf("rejoin %d", self), func(s *metaShard) bool {
		o := s.owner(self)
		if o == nil || o.state != replica.Rebuild {
			return false
		}
		o.state = replica.Joining
		return true
	})
}
