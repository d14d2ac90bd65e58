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

	memory []int32 // of rows that a filter left
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

// begin makes b ready for granules of a series: its tags are the same in all.
func (r *runner) begin(b *batch, series uint32) {
	b.inputs = slices.Grow(b.inputs[:0], len(r.f.Inputs))[:len(r.f.Inputs)]
	for i, in := range r.f.Inputs {
		b.inputs[i] = vector{}
		if !in.IsTag {
			continue
		}
		if v := r.src.Tag(series, in.Tag); v != "" {
			b.inputs[i] = constantText(v)
		}
	}
}

// load reads a granule into b, which is begun for its series: the rows within
// times that pass the filter, with the inputs that the answer needs. Columns are
// only decoded where statistics leave a chance for a row.
func (r *runner) load(b *batch, g Granule, filter *plan.Expr, times model.TimeRange) error {
	b.times, b.rows, b.lo, b.hi = b.times[:0], nil, 0, 0
	if filter != nil {
		switch all, none := r.verdict(filter, g); {
		case none:
			return r.read(0)
		case all:
			filter = nil
		}
	}
	all, err := g.Times()
	if err != nil {
		return err
	}
	b.times = all
	b.lo, b.hi = within(times, all, g.Range())
	if err := r.read(b.hi - b.lo); err != nil {
		return err
	}
	if filter != nil && b.lo < b.hi {
		for _, i := range r.tested {
			if err := r.resolveInput(b, g, i); err != nil {
				return err
			}
		}
		if r.selectRows(b, filter); len(b.rows) == 0 {
			return nil
		}
	}
	if b.lo == b.hi {
		return nil
	}
	needed := r.needed
	if filter != nil {
		needed = r.neededBeside
	}
	for _, i := range needed {
		if err := r.resolveInput(b, g, i); err != nil {
			return err
		}
	}
	return nil
}

// within gives which rows of a granule, whose range is of, are within r.
func within(r model.TimeRange, times []int64, of model.TimeRange) (lo, hi int) {
	hi = len(times)
	if of.Min < r.Min {
		lo, _ = slices.BinarySearch(times, r.Min)
	}
	if of.Max > r.Max { // so there is a time after it
		hi, _ = slices.BinarySearch(times, r.Max+1)
	}
	return min(lo, hi), hi
}

// resolveInput makes an input of the fields of a granule.
func (r *runner) resolveInput(b *batch, g Granule, i int) error {
	in := &r.f.Inputs[i]
	switch fields := r.inputs[i]; len(fields) {
	case 0:
	case 1:
		column, err := g.Column(fields[0])
		if err != nil {
			return err
		}
		if column.Type == in.Type {
			b.inputs[i].Column = *column
			return nil
		}
		v := vector{Column: *column}
		b.inputs[i] = v.as(in.Type)
	default:
		columns := make([]model.Column, len(fields))
		for j, f := range fields {
			column, err := g.Column(f)
			if err != nil {
				return err
			}
			columns[j] = *column
		}
		b.inputs[i] = coalesce(in.Type, columns, len(b.times))
	}
	return nil
}

// coalesce gives, for each row, the value of the first of the columns that has
// one, as a type of number.
func coalesce(t model.FieldType, columns []model.Column, n int) vector {
	first := vector{Column: columns[0]}
	out := first.as(t)
	for i := range columns[1:] {
		if out.Present == nil {
			break
		}
		next := vector{Column: columns[1+i]}
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
	if b.memory == nil {
		b.memory = make([]int32, 0, max(b.hi-b.lo, 256))
	}
	b.rows = b.memory[:0]
	if !b.selectByNumber(filter) {
		e := evaluator{n: len(b.times), inputs: b.inputs}
		v := e.eval(filter)
		bits, step := e.truth(&v)
		for i := b.lo; i < b.hi; i++ {
			if bits[i*step] != 0 {
				b.rows = append(b.rows, int32(i))
			}
		}
	}
	b.memory = b.rows
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
			b.inputs[i].Column = b.inputs[i].Column.Pick(b.rows)
		}
	}
	b.times, b.lo, b.hi, b.rows = times, 0, len(times), nil
}
