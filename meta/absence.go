package meta

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// absence is since when a node has not been alive, as the controller noted it:
// a controller that takes over does not begin to wait anew.
type absence struct {
	node     uint64
	since    time.Time
	modified int64
}

type absenceRecord struct {
	Format int       `json:"format"`
	Node   uint64    `json:"node"`
	Since  time.Time `json:"since"`
}

func (k keyspace) absent(node uint64) string { return fmt.Sprintf("%sabsent/%016x", k.root, node) }

// AbsentSince gives since when a node has not been alive, if the controller has
// noted that it is not.
func (s *Snapshot) AbsentSince(node uint64) (since time.Time, absent bool) {
	if a := s.absence(node); a != nil {
		return a.since, true
	}
	return time.Time{}, false
}

// Absent gives the ids of the nodes that are noted as absent. Some may be alive
// again, or removed.
func (s *Snapshot) Absent() []uint64 {
	ids := make([]uint64, len(s.control.absent))
	for i, a := range s.control.absent {
		ids[i] = a.node
	}
	return ids
}

func (s *Snapshot) absence(node uint64) *absence {
	i, ok := slices.BinarySearchFunc(s.control.absent, node, compareAbsence)
	if !ok {
		return nil
	}
	return s.control.absent[i]
}

// NoteAbsent notes that a node is not alive. What was noted before stays; a
// node that is alive is left alone.
func (s *Store) NoteAbsent(ctx context.Context, fence Fence, node uint64, since time.Time) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		if now.absence(node) != nil || now.Alive(node) {
			return true, nil
		}
		key := s.keys.absent(node)
		return s.fenced(ctx, "note absence", fence, []Condition{{Key: key}, {Key: s.keys.alive(node)}},
			[]Op{Put(key, encode(absenceRecord{recordFormat, node, since.UTC()}))})
	})
}

// NotePresent takes back NoteAbsent.
func (s *Store) NotePresent(ctx context.Context, fence Fence, node uint64) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		a := now.absence(node)
		if a == nil {
			return true, nil
		}
		key := s.keys.absent(node)
		return s.fenced(ctx, "note presence", fence, []Condition{{Key: key, Revision: a.modified}}, []Op{Delete(key)})
	})
}

func (b *builder) applyAbsence(c Change, rest string) error {
	id, err := parseID(rest)
	if err != nil {
		return err
	}
	all := slices.Clone(b.next.control.absent)
	if c.Removed {
		b.next.control.absent = remove(all, id, compareAbsence)
		return nil
	}
	r, err := decode(c.Value, func(r *absenceRecord) int { return r.Format })
	if err != nil {
		return err
	}
	if r.Node != id {
		return corrupt("key and value name nodes %d and %d", id, r.Node)
	}
	b.next.control.absent = insert(all, id, &absence{id, r.Since, c.Modified}, compareAbsence)
	return nil
}

func compareAbsence(a *absence, node uint64) int { return cmp.Compare(a.node, node) }
