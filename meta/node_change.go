package meta

import (
	"context"
	"fmt"

	"github.com/varvedb/varve/model"
)

// SetDraining begins or ends the draining of a node.
func (s *Store) SetDraining(ctx context.Context, id uint64, draining bool) error {
	return s.changeNode(ctx, "drain node", id, func(to *Node) error {
		to.Draining = draining
		return nil
	})
}

// LabelNode sets labels of a node; an empty value removes one.
func (s *Store) LabelNode(ctx context.Context, id uint64, labels map[string]string) error {
	return s.changeNode(ctx, "label node", id, func(to *Node) error {
		if to.Labels == nil {
			to.Labels = map[string]string{}
		}
		for name, value := range labels {
			if to.Labels[name] = value; value == "" {
				delete(to.Labels, name)
			}
		}
		return checkLabels(to.Labels)
	})
}

// SetAddresses says where others reach this node from now on.
func (s *Store) SetAddresses(ctx context.Context, a Addresses) error {
	return s.changeNode(ctx, "change addresses", s.Self(), func(to *Node) error {
		to.Addresses = a
		return nil
	})
}

func (s *Store) changeNode(ctx context.Context, doing string, id uint64, edit func(to *Node) error) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		n := now.node(id)
		if n == nil {
			return false, nodeNotFound(id)
		}
		to := n.clone()
		if err := edit(to); err != nil {
			return false, err
		}
		return s.commit(ctx, doing,
			[]Condition{s.nodeUnchanged(now, id)},
			[]Op{Put(s.keys.node(id), encode(nodeToRecord(to)))})
	})
}

// RemoveNode removes a node that owns no shard. If it still runs it ends, see
// Expelled; its directory is refused for ever.
func (s *Store) RemoveNode(ctx context.Context, id uint64) error {
	tried := false
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		switch known := now.node(id) != nil; {
		case !known && tried:
			return true, nil
		case !known:
			return false, nodeNotFound(id)
		}
		tried = true
		if n := now.owned(id); n > 0 {
			return false, conflict(fmt.Sprintf("node %d still owns %d shards; drain it first", id, n))
		}
		// New owners come with a new id or under the condition that the
		// node's record is what it was.
		return s.commit(ctx, "remove node",
			[]Condition{s.nodeUnchanged(now, id), s.idsUnchanged(now)},
			[]Op{Delete(s.keys.node(id))})
	})
}

// owned counts the shards of live groups that a node is an owner of.
func (s *Snapshot) owned(node uint64) (n int) {
	for g := range s.AllGroups {
		if !g.Live() {
			continue
		}
		for _, sh := range g.Shards {
			for _, o := range sh.Owners {
				if o.Node == node {
					n++
				}
			}
		}
	}
	return n
}

func nodeNotFound(id uint64) error {
	return &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("node not found: %d", id)}
}
