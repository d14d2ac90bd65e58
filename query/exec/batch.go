package exec

import (
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

// batch is the rows of a granule that count, as the fragment's inputs. It is
// valid as long as the granule is.
type batch struct {
	times  []int64
	inputs []vector
	// rows are the indexes of the rows that count, ascending. When it is nil
	// they are all from lo up to hi.
	rows   []int32
	lo, hi int
}

// len gives the number of rows that count.
func (b *batch) len() int {
	if b.rows != nil {
		return len(b.rows)
	}
	return b.hi - b.lo
}

// row gives the index of the i-th row that counts.
func (b *batch) row(i int) int {
	if b.rows != nil {
		return int(b.rows[i])
	}
	return b.lo + i
}

// load reads a granule into b: the rows in the fragment's range that pass the
// filter.
func (r *runner) load(b *batch, g Granule, filter *plan.Expr) error {
	times, columns, err := g.Load()
	if err != nil {
		return err
	}
	b.times, b.rows = times, nil
	b.lo, b.hi = 0, len(times)
	if !r.f.Range.Covers(g.Range()) {
		b.lo, _ = slices.BinarySearch(times, r.f.Range.Min)
		if r.f.Range.Max < forever {
			b.hi, _ = slices.BinarySearch(times, r.f.Range.Max+1)
		}
	}
	if b.lo > b.hi {
		b.lo = b.hi
	}
	if err := r.read(b.hi - b.lo); err != nil {
		return err
	}
	r.resolveInputs(b, columns, g.Series())
	if filter != nil && b.lo < b.hi {
		r.selectRows(b, filter)
	}
	return nil
}

// resolveInputs makes the fragment's inputs of columns and tags.
func (r *runner) resolveInputs(b *batch, columns []model.Column, series uint32) {
	b.inputs = slices.Grow(b.inputs[:0], len(r.f.Inputs))[:len(r.f.Inputs)]
	for i, in := range r.f.Inputs {
		switch fields := r.inputs[i]; {
		case in.IsTag:
			b.inputs[i] = vector{}
			if v := r.src.Tags(series).Get(in.Tag); v != "" {
				b.inputs[i] = constantText(v)
			}
		case len(fields) == 0:
			b.inputs[i] = vector{}
		case len(fields) == 1:
			v := vector{Column: columns[fields[0]]}
			b.inputs[i] = v.as(in.Type)
		default:
			b.inputs[i] = coalesce(in.Type, columns, fields, len(b.times))
		}
	}
}

// coalesce gives, for each row, the value of the first of the columns that has
// one, as a type of number.
func coalesce(t model.FieldType, columns []model.Column, fields []int, n int) vector {
	first := vector{Column: columns[fields[0]]}
	out := first.as(t)
	for _, f := range fields[1:] {
		if out.Present == nil {
			break
		}
		next := vector{Column: columns[f]}
		next = next.as(t)
		merged := vector{Column: model.Column{Field: out.Field}}
		for i := range n {
			if out.Has(i) {
				merged.AppendRow(&out.Column, i)
			} else {
				merged.AppendRow(&next.Column, i)
			}
		}
		out = merged
	}
	return out
}

// selectRows leaves the rows of b that pass the filter.
func (r *runner) selectRows(b *batch, filter *plan.Expr) {
	e := evaluator{n: len(b.times), inputs: b.inputs}
	v := e.eval(filter)
	bits, step := e.truth(&v)
	b.rows = make([]int32, 0, b.hi-b.lo)
	for i := b.lo; i < b.hi; i++ {
		if bits[i*step] != 0 {
			b.rows = append(b.rows, int32(i))
		}
	}
}

// pack moves the rows that count together, so that they are all from lo up to
// hi.
func (b *batch) pack(used []bool) {
	if b.rows == nil {
		return
	}
	times := make([]int64, len(b.rows))
	for i, row := range b.rows {
		times[i] = b.times[row]
	}
	for i := range b.inputs {
		if used[i] && b.inputs[i].Type != 0 && !b.inputs[i].constant {
			b.inputs[i].Column = pick(&b.inputs[i].Column, b.rows)
		}
	}
	b.times, b.lo, b.hi, b.rows = times, 0, len(times), nil
}

// pick gives a column of the given rows of c.
func pick(c *model.Column, rows []int32) model.Column {
	out := model.Column{Field: c.Field}
	if c.Present != nil || c.Type == model.String {
		for _, row := range rows {
			out.AppendRow(c, int(row))
		}
		return out
	}
	out.Bits = make([]uint64, len(rows))
	for i, row := range rows {
		out.Bits[i] = c.Bits[row]
	}
	return out
}
