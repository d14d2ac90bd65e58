package meta

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/varvedb/varve/model"
)

// RegisterNode makes this directory a node of the cluster, or says what has
// changed of it since its last start, and counts the start. From then on the
// node is alive until Close. It is called once, before the Store is shared.
// With etcd away a node that was registered before stays what it was; its start
// is told as soon as etcd answers (see Expelled for what may come of it).
//
// A name belongs to one directory. A directory that is new takes the place of
// the node of its name if that one is not alive (see takePlace); else, and for
// a directory that is older than what the cluster has seen of it, or whose node
// was removed, the error is model.ErrConflict.
func (s *Store) RegisterNode(ctx context.Context, spec NodeSpec) (*Node, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	// Disk first: a start that etcd has seen and the disk has forgotten is the
	// mark of an old copy of the directory.
	s.identity.Starts++
	if err := s.saveIdentity(); err != nil {
		return nil, err
	}
	self, err := s.register(ctx, spec)
	if errors.Is(err, model.ErrUnavailable) && s.identity.ID != 0 {
		if known := s.Snapshot().Node(s.identity.ID); known != nil {
			self = known.clone()
			self.Starts = s.identity.Starts
			return self, nil
		}
	}
	if err != nil {
		return nil, err
	}
	s.identity.ID, s.identity.Name = self.ID, self.Name
	return self, s.saveIdentity()
}

// register tells etcd of this start.
func (s *Store) register(ctx context.Context, spec NodeSpec) (self *Node, err error) {
	err = s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		have, err := s.findNode(now, spec.Name)
		if err != nil {
			return false, err
		}
		if have != nil {
			if have.Starts >= s.identity.Starts {
				return false, conflict(fmt.Sprintf("%s is an old copy: it was started %d times, but node %d %d times; it has forgotten what it acknowledged", s.dir, s.identity.Starts-1, have.ID, have.Starts))
			}
			self = have.clone()
			s.describe(self, spec)
			return s.commit(ctx, "register node",
				[]Condition{{Key: s.keys.node(self.ID), Revision: have.modified}},
				[]Op{Put(s.keys.node(self.ID), encode(nodeToRecord(self)))})
		}
		if s.identity.ID != 0 {
			return false, conflict(fmt.Sprintf("node %d was removed from the cluster; its data directory cannot be used again", s.identity.ID))
		}
		self = &Node{ID: now.counter.next, Incarnation: uint64(s.identity.Incarnation)}
		s.describe(self, spec)
		return s.commit(ctx, "register node",
			[]Condition{s.idsUnchanged(now)},
			[]Op{Put(s.keys.node(self.ID), encode(nodeToRecord(self))), s.takeIDs(now, 1)})
	})
	return self, err
}

// describe writes what a start says into the record of the own node.
func (s *Store) describe(self *Node, spec NodeSpec) {
	self.Name, self.Roles, self.Version, self.Addresses = spec.Name, spec.Roles, spec.Version, spec.Addresses
	self.Starts = s.identity.Starts
	if self.Labels == nil {
		self.Labels = map[string]string{}
	}
	maps.Copy(self.Labels, spec.Labels)
}

// findNode finds the node of this directory. A crash between registering and
// noting the id leaves only the incarnation to know it by.
func (s *Store) findNode(now *Snapshot, name string) (have *node, err error) {
	for _, n := range now.nodes {
		switch {
		case n.Incarnation == uint64(s.identity.Incarnation):
			have = n
		case n.Name == name:
			return nil, conflict(fmt.Sprintf("node name %q is taken by node %d, whose data directory is another one", n.Name, n.ID))
		}
	}
	return have, nil
}
