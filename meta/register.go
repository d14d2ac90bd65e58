package meta

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

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
	p := &pulse{store: s, spec: spec}
	self, err := s.registerWhenFree(ctx, spec)
	if errors.Is(err, model.ErrUnavailable) {
		if known := s.Snapshot().Node(s.identity.ID); known != nil {
			self = known.clone()
			self.Starts = s.identity.Starts
			s.background(p.run)
			return self, nil
		}
	}
	if err != nil {
		return nil, err
	}
	p.told = true
	s.identity.ID, s.identity.Name = self.ID, self.Name
	if err := s.saveIdentity(); err != nil {
		return nil, err
	}
	p.beat(ctx)
	if len(self.replaces) > 0 {
		if err := s.takePlace(ctx, self); err != nil {
			s.log.Warn("cannot take over all shards yet, going on in the background", "error", err)
		}
	}
	s.background(p.run)
	return self, nil
}

// nameFreeAfter is how long the lease of a node that is gone may last at most:
// its time, the choice of a new leader of etcd where that is gone, too, and its
// time once more, which the new one gives it.
const nameFreeAfter = 4 * aliveTTL

// registerWhenFree registers the node. A node of the same name may look alive
// though it is not: its lease has not ended yet. So that is waited for.
func (s *Store) registerWhenFree(ctx context.Context, spec NodeSpec) (*Node, error) {
	for until := time.Now().Add(nameFreeAfter); ; {
		changed := s.Changed()
		last := !time.Now().Before(until) && !s.Away()
		self, err := s.register(ctx, spec)
		if last || !errors.Is(err, errNameTaken) {
			return self, err
		}
		wait := time.NewTimer(max(time.Until(until), freshEvery))
		select {
		case <-changed:
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// errNameTaken is of an error that ends, unless the one that has the name is
// alive indeed.
var errNameTaken = errors.New("a node of this name is alive")

// register tells etcd of this start.
func (s *Store) register(ctx context.Context, spec NodeSpec) (self *Node, err error) {
	err = s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		have, namesake := s.findNode(now, spec.Name)
		if have != nil {
			self = have.clone()
			s.describe(self, spec)
			switch {
			case have.run == s.run:
				return true, nil // an earlier try came through
			case namesake != nil:
				return false, conflict(fmt.Sprintf("node name %q is taken by node %d", spec.Name, namesake.ID))
			case have.Starts >= s.identity.Starts:
				return false, conflict(fmt.Sprintf("%s is an old copy: it was started %d times before, but node %d %d times; it has forgotten what it acknowledged", s.dir, s.identity.Starts-1, have.ID, have.Starts))
			}
			return s.commit(ctx, "register node",
				[]Condition{s.nodeUnchanged(now, self.ID)},
				[]Op{Put(s.keys.node(self.ID), encode(nodeToRecord(self)))})
		}
		if s.identity.ID != 0 {
			return false, conflict(fmt.Sprintf("node %d was removed from the cluster; its data directory cannot be used again", s.identity.ID))
		}
		self = &Node{ID: now.counter.next, Incarnation: uint64(s.identity.Incarnation)}
		when, ops := []Condition{s.idsUnchanged(now)}, []Op{s.takeIDs(now, 1)}
		if namesake != nil {
			if now.Alive(namesake.ID) {
				return false, &nameTaken{namesake.Node}
			}
			self.Labels, self.replaces = namesake.clone().Labels, append(slices.Clone(namesake.replaces), namesake.ID)
			when = append(when, s.nodeUnchanged(now, namesake.ID), Condition{Key: s.keys.alive(namesake.ID)})
			ops = append(ops, Delete(s.keys.node(namesake.ID)))
		}
		s.describe(self, spec)
		return s.commit(ctx, "register node", when, append(ops, Put(s.keys.node(self.ID), encode(nodeToRecord(self)))))
	})
	return self, err
}

// nameTaken is the error of a name that a living node has.
type nameTaken struct{ by Node }

func (e *nameTaken) Error() string {
	return fmt.Sprintf("node name %q is taken by node %d, which is alive and has another data directory", e.by.Name, e.by.ID)
}

func (e *nameTaken) Is(target error) bool {
	return target == errNameTaken || target == model.ErrConflict
}

// describe writes what a start says into the record of the own node.
func (s *Store) describe(self *Node, spec NodeSpec) {
	self.Name, self.Roles, self.Version, self.Addresses = spec.Name, spec.Roles, spec.Version, spec.Addresses
	self.Starts, self.run = s.identity.Starts, s.run
	if self.Labels == nil {
		self.Labels = map[string]string{}
	}
	maps.Copy(self.Labels, spec.Labels)
}

// findNode finds the node of this directory, and another one that has the name.
// A crash between registering and noting the id leaves only the incarnation to
// know the own node by.
func (s *Store) findNode(now *Snapshot, name string) (have, namesake *node) {
	for _, n := range now.nodes {
		switch {
		case n.Incarnation == uint64(s.identity.Incarnation):
			have = n
		case n.Name == name:
			namesake = n
		}
	}
	return have, namesake
}
