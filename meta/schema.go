package meta

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/varvedb/varve/model"
)

// Bounds of what one transaction carries; etcd refuses requests over 1.5 MB.
const (
	maxSchemaBytes = 1 << 20 // of one measurement in one group
	maxCopyBytes   = 1 << 20 // of a chunk of Succeed, beyond the last value
)

// EnsureFields gives the agreed types of fields in a group: fields[i].Name has
// the type result[i].Type there. Names that are new get the type asked for;
// the first one wins, here and between nodes, and the same answer is given to
// all. The result is fields itself when all types are as asked.
//
// Known fields cost a look into the Snapshot: no lock, no request to etcd. A
// type that was copied from the group before is confirmed by its first use, or
// replaced if that use asks for another; with etcd away it is taken as agreed.
func (s *Store) EnsureFields(ctx context.Context, groupID uint64, measurement string, fields []model.Field) ([]model.Field, error) {
	m := s.Snapshot().measurement(groupID, measurement)
	if m.settled(fields) {
		return m.agree(fields), nil
	}
	if m.knows(fields) && time.Now().UnixNano() < s.awayTill.Load() {
		return m.agree(fields), nil
	}
	err := s.addFields(ctx, groupID, measurement, fields)
	m = s.Snapshot().measurement(groupID, measurement)
	switch known := m.knows(fields); {
	case err != nil && !(known && errors.Is(err, model.ErrUnavailable)):
		return nil, err
	case !known: // the group was dropped at this moment
		return nil, groupNotFound(groupID)
	}
	return m.agree(fields), nil
}

// settled reports whether all fields are known and none is a mere copy. A nil
// measurement knows none.
func (m *measurement) settled(fields []model.Field) bool {
	return !slices.ContainsFunc(fields, func(f model.Field) bool {
		known := m.field(f.Name)
		return known == nil || known.copied
	})
}

func (m *measurement) knows(fields []model.Field) bool {
	return !slices.ContainsFunc(fields, func(f model.Field) bool { return m.field(f.Name) == nil })
}

// agree gives fields with the agreed types. All of them are known.
func (m *measurement) agree(fields []model.Field) []model.Field {
	agreed, shared := fields, true
	for i, f := range fields {
		t := m.field(f.Name).Type
		if t == f.Type {
			continue
		}
		if shared {
			agreed, shared = slices.Clone(fields), false
		}
		agreed[i].Type = t
	}
	return agreed
}

// with gives the fields of m after a write with those given.
func (m *measurement) with(fields []model.Field) []schemaField {
	var to []schemaField
	if m != nil {
		to = slices.Clone(m.fields)
	}
	for _, f := range fields {
		i, ok := slices.BinarySearchFunc(to, f.Name, compareField)
		switch {
		case !ok:
			to = slices.Insert(to, i, schemaField{Field: f})
		case to[i].copied:
			to[i] = schemaField{Field: f}
		}
	}
	return to
}

// addFields agrees on the types of fields that are new or mere copies. It
// tries on the Snapshot as it is first: one that is old loses the transaction,
// and is fresh after that.
func (s *Store) addFields(ctx context.Context, groupID uint64, name string, fields []model.Field) error {
	for _, f := range fields {
		if !f.Type.Valid() {
			return invalid(fmt.Sprintf("field %q has no type", f.Name))
		}
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	fresh := false
	return s.retry(ctx, func() (bool, error) {
		now := s.Snapshot()
		m := now.measurement(groupID, name)
		if m.settled(fields) {
			return true, nil
		}
		g := now.group(groupID)
		if g == nil && !fresh {
			fresh = true
			return false, s.refresh(ctx)
		}
		if g == nil || !g.Live() {
			return false, groupNotFound(groupID)
		}
		op, when := s.setFields(g, m, name, fields)
		if len(op.Value) > maxSchemaBytes {
			return false, &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("measurement %q has too many fields", name)}
		}
		return s.commit(ctx, "add fields", when, []Op{op})
	})
}

// setFields gives what adds fields to a measurement of a group, which is nil
// when it has none, and under which conditions.
func (s *Store) setFields(g *group, m *measurement, name string, fields []model.Field) (Op, []Condition) {
	key, modified := s.keys.measurement(g.ID, name), int64(0)
	if m != nil {
		modified = m.modified
	}
	return Put(key, encode(schemaToRecord(m.with(fields)))),
		[]Condition{{Key: key, Revision: modified}, {Key: g.key, Revision: g.modified}}
}

// NewFields are fields that a measurement shall have in a group. Each names
// another group or another measurement than the others of a call.
type NewFields struct {
	Group       uint64
	Measurement string
	Fields      []model.Field // of valid types
}

// AddFields goes ahead of EnsureFields for much that is new, and agrees on as
// many measurements with one transaction as that takes. It leaves to EnsureFields
// what that would refuse.
func (s *Store) AddFields(ctx context.Context, all []NewFields) error {
	for len(all) > 0 {
		n, err := s.addSome(ctx, all)
		if err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// addSome does so for the first n of all, as many as one transaction takes.
func (s *Store) addSome(ctx context.Context, all []NewFields) (n int, err error) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	err = s.retry(ctx, func() (bool, error) {
		now := s.Snapshot()
		var ops []Op
		var when []Condition
		size := 0
		for n = 0; n < len(all) && len(when) <= MaxOps-2; n++ {
			add := all[n]
			m, g := now.measurement(add.Group, add.Measurement), now.group(add.Group)
			if m.settled(add.Fields) || g == nil || !g.Live() {
				continue
			}
			op, conditions := s.setFields(g, m, add.Measurement, add.Fields)
			if len(op.Value) > maxSchemaBytes {
				continue
			}
			if size += len(op.Key) + len(op.Value); len(ops) > 0 && size > maxCopyBytes {
				break
			}
			ops, when = append(ops, op), append(when, conditions...)
		}
		if len(ops) == 0 {
			return true, nil
		}
		return s.commit(ctx, "add fields", when, ops)
	})
	return n, err
}

// copySchema writes the types used in one group as copies for another, in
// chunks that etcd takes. Nobody else writes there, since the group does not
// exist yet.
func (s *Store) copySchema(ctx context.Context, fence Fence, from *groupSchema, to uint64) error {
	if from == nil {
		return nil
	}
	var ops []Op
	size := 0
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		err := s.change(ctx, func(ctx context.Context, _ *Snapshot) (bool, error) {
			return s.fenced(ctx, "copy schema", fence, nil, ops)
		})
		ops, size = nil, 0
		return err
	}
	for _, m := range from.measurements {
		fields := m.copies()
		if len(fields) == 0 {
			continue
		}
		op := Put(s.keys.measurement(to, m.name), encode(schemaToRecord(fields)))
		if size += len(op.Key) + len(op.Value); size > maxCopyBytes || len(ops) == MaxOps-1 {
			if err := flush(); err != nil {
				return err
			}
			size = len(op.Key) + len(op.Value)
		}
		ops = append(ops, op)
	}
	return flush()
}

// CopyFields writes the types that one group has come to use since the one that
// follows was made as copies for that.
func (s *Store) CopyFields(ctx context.Context, fence Fence, from, to uint64) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		g, source := now.group(to), now.schema(from)
		if g == nil || !g.Live() || source == nil {
			return true, nil
		}
		when, size := []Condition{{Key: g.key, Revision: g.modified}}, 0
		var ops []Op
		more := false
		for _, m := range source.measurements {
			have := now.measurement(to, m.name)
			fields, modified := have.joined(m.copies()), int64(0)
			if fields == nil {
				continue
			}
			if have != nil {
				modified = have.modified
			}
			op := Put(s.keys.measurement(to, m.name), encode(schemaToRecord(fields)))
			if len(op.Value) > maxSchemaBytes {
				continue // a write to it will be refused, and say why
			}
			if size += len(op.Key) + len(op.Value); len(ops) > 0 && size > maxCopyBytes || len(when) == MaxOps-2 {
				more = true
				break
			}
			ops = append(ops, op)
			when = append(when, Condition{Key: op.Key, Revision: modified})
		}
		if len(ops) == 0 {
			return true, nil
		}
		done, err := s.fenced(ctx, "copy fields", fence, when, ops)
		return done && !more, err
	})
}

// joined gives the fields of m and those of copies that it lacks, nil when it
// lacks none. m may be nil.
func (m *measurement) joined(copies []schemaField) []schemaField {
	var all []schemaField
	for _, f := range copies {
		if m.field(f.Name) != nil {
			continue
		}
		if all == nil && m != nil {
			all = slices.Clone(m.fields)
		}
		i, _ := slices.BinarySearchFunc(all, f.Name, compareField)
		all = slices.Insert(all, i, f)
	}
	return all
}

// copies gives the fields that something was written with, as copies.
func (m *measurement) copies() []schemaField {
	var out []schemaField
	for _, f := range m.fields {
		if !f.copied {
			out = append(out, schemaField{Field: f.Field, copied: true})
		}
	}
	return out
}

// Fields gives the agreed types of a measurement in a group, sorted by name;
// only those that something was written with.
func (s *Snapshot) Fields(groupID uint64, measurement string) []model.Field {
	m := s.measurement(groupID, measurement)
	if m == nil {
		return nil
	}
	out := make([]model.Field, 0, len(m.fields))
	for _, f := range m.fields {
		if !f.copied {
			out = append(out, f.Field)
		}
	}
	return out
}

// Measurements gives the names of the measurements of a group that something
// was written with, sorted.
func (s *Snapshot) Measurements(groupID uint64) []string {
	g := s.schema(groupID)
	if g == nil {
		return nil
	}
	var out []string
	for _, m := range g.measurements {
		if slices.ContainsFunc(m.fields, func(f schemaField) bool { return !f.copied }) {
			out = append(out, m.name)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
