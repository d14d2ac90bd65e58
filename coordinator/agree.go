package coordinator

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

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
	if err := w.announce(ctx, p); err != nil {
		return refusal{}, passing(ctx, err)
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

// maxAnnounced is how many measurements get new fields at a time: they share the
// syncs of etcd.
const maxAnnounced = 64

// announce agrees on the fields that are new to the group and come in several
// tables, with one request per measurement instead of one per table after the
// other. It leaves out tables of which a row may be refused.
func (w *Writer) announce(ctx context.Context, p *part) error {
	if len(p.batch.Tables) < 2 {
		return nil
	}
	now := w.meta.Snapshot()
	fresh := map[string][]model.Field{} // by measurement
	seen := map[[2]string]bool{}
	for i := range p.batch.Tables {
		t := &p.batch.Tables[i]
		known := func(field string) (model.FieldType, bool) {
			return now.FieldType(p.group.ID, t.Measurement, field)
		}
		fields, ok := consistent(t, known)
		if !ok {
			continue
		}
		for _, f := range fields {
			at := [2]string{t.Measurement, f.Name}
			if _, ok := known(f.Name); !ok && !seen[at] {
				seen[at] = true
				fresh[t.Measurement] = append(fresh[t.Measurement], f)
			}
		}
	}
	var g errgroup.Group
	g.SetLimit(maxAnnounced)
	for measurement, fields := range fresh {
		g.Go(func() error {
			_, err := w.meta.EnsureFields(ctx, p.group.ID, measurement, fields)
			return err
		})
	}
	return g.Wait()
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
