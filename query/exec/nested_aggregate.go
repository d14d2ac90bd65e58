package exec

import (
	"slices"
	"sort"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/memory"
)

// aggregateTaker computes the aggregates of a fragment over the rows of a
// subquery, one group after the other.
type aggregateTaker struct {
	*nestedRun
	key     []string // of the current group; nil before the first
	windows *windows
	cells   []*cells
	aux     *auxiliary // the selected rows' columns; nil without columns
	used    []bool     // the inputs that are aggregated or selected
	account memory.Account
}

func (n *nestedRun) newAggregateTaker() *aggregateTaker {
	a := &aggregateTaker{
		nestedRun: n, windows: newWindows(&n.f.Window), used: make([]bool, len(n.f.Inputs)), account: n.budget.Account(),
	}
	for _, g := range n.f.Aggregates {
		a.cells = append(a.cells, newCells(g.Function, n.f.Inputs[g.Input].Type))
		a.used[g.Input] = true
	}
	if len(n.f.Columns) > 0 {
		types := make([]model.FieldType, len(n.f.Columns))
		for i, c := range n.f.Columns {
			types[i] = n.f.Inputs[c].Type
			a.used[c] = true
		}
		a.aux = newAuxiliary(n.f.Columns, types)
	}
	return a
}

func (a *aggregateTaker) close() { a.account.Close() }

func (a *aggregateTaker) add(key []string, _ model.Tags, b *batch) error {
	if !slices.Equal(a.key, key) {
		if err := a.end(); err != nil {
			return err
		}
	}
	a.key = key
	a.ascend(b)
	for lo := b.lo; lo < b.hi; {
		slot, end, isNew := a.windows.find(b.times[lo])
		if isNew {
			for _, c := range a.cells {
				c.grow()
			}
			if a.aux != nil {
				a.aux.grow()
			}
		}
		hi := b.hi
		if b.times[hi-1] >= end {
			hi = lo + sort.Search(hi-lo, func(i int) bool { return b.times[lo+i] >= end })
		}
		for i, c := range a.cells {
			a.cell(c, &b.inputs[a.f.Aggregates[i].Input], slot, b, lo, hi)
		}
		lo = hi
	}
	return a.account.Set(a.bytes())
}

// ascend puts the rows that count together, in ascending order.
func (a *aggregateTaker) ascend(b *batch) {
	if a.f.Descending {
		rows := make([]int32, b.len())
		for i := range rows {
			rows[i] = int32(b.row(len(rows) - 1 - i))
		}
		b.rows = rows
	}
	b.pack(a.used)
}

// cell takes in the rows from lo up to hi for one aggregate.
func (a *aggregateTaker) cell(c *cells, in *vector, slot int, b *batch, lo, hi int) {
	if in.Type == 0 {
		return
	}
	col := in.column(b.hi)
	step := hi - lo
	if (c.f == function.Min || c.f == function.Max) && c.t == model.Float {
		col = withoutNaN(col) // what is no number is neither less nor greater
	}
	if c.f == function.First || c.f == function.Last {
		lo, hi = ends(c.f, &col, b.times, lo, hi)
		step = 1 // of rows of one time the greatest value counts
	}
	for ; lo < hi; lo += step {
		if row := c.add(slot, b.times, &col, lo, lo+step); row >= 0 && a.aux != nil {
			a.aux.set(slot, b, row)
		}
	}
}

// ends gives the rows among which the first or the last value is: those of the
// time of the first or the last row that has one.
func ends(f function.ID, col *model.Column, times []int64, lo, hi int) (from, to int) {
	if f == function.First {
		for lo < hi && !col.Has(lo) {
			lo++
		}
		for to = lo; to < hi && times[to] == times[lo]; to++ {
		}
		return lo, to
	}
	for lo < hi && !col.Has(hi-1) {
		hi--
	}
	for from = hi; from > lo && times[from-1] == times[hi-1]; from-- {
	}
	return from, hi
}

// bytes is what the group's state takes.
func (a *aggregateTaker) bytes() int {
	slots := len(a.windows.starts)
	n := a.windows.bytes() + slots*(len(a.cells)*cellBytes+len(a.f.Columns)*auxBytes)
	for _, c := range a.cells {
		n += c.listBytes + c.textBytes
	}
	if a.aux != nil {
		n += a.aux.textBytes
	}
	return n
}

// end hands out the group's states and clears them.
func (a *aggregateTaker) end() error {
	slots, err := a.windows.order(a.ctx)
	if err != nil {
		return err
	}
	slots = slices.DeleteFunc(slots, func(s int32) bool {
		return !slices.ContainsFunc(a.cells, func(c *cells) bool { return c.n[s] > 0 })
	})
	p := &Partial{Group: a.key, Times: gatherTimes(a.windows.starts, slots)}
	for _, c := range a.cells {
		p.Columns = c.appendColumns(p.Columns, slots)
		c.reset()
	}
	if a.aux != nil {
		p.Columns = append(p.Columns, a.aux.columns(slots)...)
		a.aux.reset()
	}
	a.windows.reset()
	if len(slots) == 0 {
		return nil
	}
	return a.emit(p)
}

func gatherTimes(from []int64, slots []int32) []int64 {
	out := make([]int64, len(slots))
	for i, s := range slots {
		out[i] = from[s]
	}
	return out
}
