package coordinator

import (
	"context"
	"slices"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// agree holds a part against the schema of its group, which gets the fields
// that are new, and takes out the rows that contradict it. Of joined rows none
// may: the error is ErrJoined then.
func (w *Writer) agree(ctx context.Context, p *part, joined bool) (refusal, error) {
	if p.batch == nil {
		return refusal{}, nil
	}
	var refused refusal
	drops := make([][]bool, len(p.batch.Tables))
	for i := range p.batch.Tables {
		t := &p.batch.Tables[i]
		v, err := w.agreeTable(ctx, p.group, t, joined)
		if err != nil {
			return refusal{}, err
		}
		refused.add(refusal{count: v.count, reason: v.reason})
		drops[i] = v.drop
	}
	if refused.count > 0 {
		p.batch = without(p.batch, drops)
	}
	return refused, nil
}

// announce agrees on the fields that are new to their groups and come in several
// parts or tables, with few requests instead of one per table after the other.
// It leaves out tables of which a row may be refused.
func (w *Writer) announce(ctx context.Context, parts []part) error {
	type place struct {
		group       uint64
		measurement string
	}
	now := w.meta.Snapshot()
	var all []meta.NewFields
	at := map[place]int{} // in all: the shards of a group share its types
	for i := range parts {
		p := &parts[i]
		if p.batch == nil {
			continue
		}
		for j := range p.batch.Tables {
			t := &p.batch.Tables[j]
			known := func(field string) (model.FieldType, bool) {
				return now.FieldType(p.group.ID, t.Measurement, field)
			}
			fields, ok := consistent(t, known)
			if !ok {
				continue
			}
			for _, f := range fields {
				if _, ok := known(f.Name); ok {
					continue
				}
				here := place{p.group.ID, t.Measurement}
				to, ok := at[here]
				if !ok {
					to = len(all)
					at[here] = to
					all = append(all, meta.NewFields{Group: here.group, Measurement: here.measurement})
				}
				if !slices.ContainsFunc(all[to].Fields, func(o model.Field) bool { return o.Name == f.Name }) {
					all[to].Fields = append(all[to].Fields, f)
				}
			}
		}
	}
	return w.meta.AddFields(ctx, all)
}

// agreeTable agrees on the types of the fields of a table, and says which rows
// contradict them.
func (w *Writer) agreeTable(ctx context.Context, g *meta.ShardGroup, t *model.Table, joined bool) (verdict, error) {
	now := w.meta.Snapshot()
	fields, ok := consistent(t, func(field string) (model.FieldType, bool) {
		return now.FieldType(g.ID, t.Measurement, field)
	})
	if ok {
		agreed, err := w.meta.EnsureFields(ctx, g.ID, t.Measurement, fields)
		if err != nil {
			return verdict{}, passing(ctx, err)
		}
		if slices.Equal(agreed, fields) {
			return verdict{}, nil
		}
	}
	// Some rows will be refused, and only the others make new fields.
	known := make(types)
	for _, f := range w.meta.Snapshot().Fields(g.ID, t.Measurement) {
		known[f.Name] = f.Type
	}
	for {
		v := check(t, known)
		if joined && v.count > 0 {
			return verdict{}, ErrJoined // before a field is new for the wrong row
		}
		if len(v.fresh) == 0 {
			return v, nil
		}
		agreed, err := w.meta.EnsureFields(ctx, g.ID, t.Measurement, v.fresh)
		if err != nil {
			return verdict{}, passing(ctx, err)
		}
		if slices.Equal(agreed, v.fresh) {
			return v, nil
		}
		// Another coordinator was first with another type: look again.
		for _, f := range agreed {
			known[f.Name] = f.Type
		}
	}
}

// without gives b without the rows that drops marks, per table; nil is none of
// the table's. It is nil when no row is left.
func without(b *model.Batch, drops [][]bool) *model.Batch {
	r := route{n: 1, to: make([][]int32, len(b.Tables))}
	for i := range b.Tables {
		r.to[i] = make([]int32, len(b.Tables[i].Times))
		for row, drop := range drops[i] {
			if drop {
				r.to[i][row] = nowhere
			}
		}
	}
	return distribute(b, r)[0]
}
