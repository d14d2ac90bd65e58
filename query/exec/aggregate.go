package exec

import (
	"fmt"
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// aggregator computes the aggregates of one group after the other. Its state
// is one slot per window that holds points.
type aggregator struct {
	*runner
	windows *windows
	cells   []*cells
	// perSeries are the cells of first() and last() without windows: one slot
	// per series of the group, until the group ends. The others are nil.
	perSeries []*cells
	aux       *auxiliary // the selected rows' columns; nil without columns
	timed     bool       // whether the time of a minimum or maximum matters
	used      []bool     // the inputs that are aggregated or selected
	load      batch
	stats     []model.Stats
	slotBytes int
	columns   int // of a partial

	helpers []*aggregator // for parts of a group's series

	cursor Cursor
	early  bool   // a series is settled by the first granule that has values
	at     uint32 // the series that is read
	begun  bool   // load is begun for it

	slots memory.Account // of the windows of a group
	// texts is what is held beside the slots of windows: lists and texts of
	// unknown length, and the slots of series.
	texts memory.Account
}

// newAggregator gives an aggregator, which must be closed.
func (r *runner) newAggregator() (*aggregator, error) {
	a := &aggregator{
		runner: r, windows: newWindows(&r.f.Window), used: make([]bool, len(r.f.Inputs)),
		slots: r.budget.Account(), texts: r.budget.Account(),
	}
	a.timed = r.f.Timed || len(r.f.Columns) > 0 || len(r.f.Aggregates) == 1 && r.f.Window.IsZero()
	for _, g := range r.f.Aggregates {
		t := r.f.Inputs[g.Input].Type
		if !g.Function.Valid() || !g.Function.Takes(t) {
			return nil, fmt.Errorf("run fragment: %s of %s: %w", g.Function, t, model.ErrInvalid)
		}
		a.used[g.Input] = true
		a.cells = append(a.cells, newCells(g.Function, t))
		a.slotBytes += cellBytes
		a.columns += len(g.Function.States(t))
		var per *cells
		if r.f.Window.IsZero() && (g.Function == function.First || g.Function == function.Last) {
			per = newCells(g.Function, t)
		}
		a.perSeries = append(a.perSeries, per)
	}
	if len(r.f.Columns) > 0 {
		types := make([]model.FieldType, len(r.f.Columns))
		for i, c := range r.f.Columns {
			types[i] = r.f.Inputs[c].Type
		}
		a.aux = newAuxiliary(r.f.Columns, types)
		a.slotBytes += len(r.f.Columns) * auxBytes
		a.columns += len(r.f.Columns)
		for _, c := range r.f.Columns {
			a.used[c] = true
		}
	}
	a.stats = make([]model.Stats, len(a.cells))
	a.cursor = r.src.Scan(ScanOptions{Fields: r.fields, Range: r.f.Range, Descending: a.backwards()})
	a.early = r.f.Window.IsZero() && (a.only(function.Last) || a.only(function.First))
	return a, nil
}

func (a *aggregator) close() error {
	a.slots.Close()
	a.texts.Close()
	return a.cursor.Close()
}

// backwards reports whether the newest granules should come first.
func (a *aggregator) backwards() bool {
	return a.only(function.Last) || a.f.RowLimit > 0 && a.f.Descending
}

// only reports whether all aggregates are of one function.
func (a *aggregator) only(f function.ID) bool {
	return !slices.ContainsFunc(a.cells, func(c *cells) bool { return c.f != f })
}

// read loads the rows of a granule of the series.
func (a *aggregator) read(g Granule, filter *plan.Expr, r model.TimeRange) error {
	if !a.begun {
		a.begun = true
		a.begin(&a.load, a.at)
	}
	return a.runner.load(&a.load, g, filter, r)
}

// byStats takes in a granule by its statistics where that is possible. It
// reports whether nothing of the granule is left to do.
func (a *aggregator) byStats(g Granule, member int, filter *plan.Expr, within model.TimeRange) (done bool, err error) {
	r := g.Range()
	if !within.Covers(r) {
		return false, nil
	}
	if !a.f.Window.IsZero() {
		if start, end := a.f.Window.Bounds(r.Min); r.Max >= end || r.Min < start {
			return false, nil
		}
	}
	if filter != nil {
		switch all, none := a.verdict(filter, g); {
		case none:
			return true, nil
		case !all:
			return false, nil
		}
	}
	stats := a.stats
	clear(stats)
	for i, c := range a.cells {
		fields := a.inputs[a.f.Aggregates[i].Input]
		if len(fields) == 0 {
			continue
		}
		var ok bool
		if stats[i], ok = g.Stats(fields[0]); !ok || len(fields) > 1 || a.fields[fields[0]].Type != c.t {
			return false, nil
		}
	}
	if !slices.ContainsFunc(stats, func(s model.Stats) bool { return s.Count > 0 }) {
		return true, nil
	}
	slot, _, err := a.slot(r.Min)
	if err != nil {
		return false, err
	}
	var rest []int
	for i, c := range a.cells {
		s := slot
		if a.perSeries[i] != nil {
			c, s = a.perSeries[i], a.member(i, member)
		}
		if !c.addStats(s, stats[i], g.Len(), r, a.timed, a.aux != nil) {
			rest = append(rest, i)
		}
	}
	if len(rest) == 0 {
		return true, nil
	}
	if err := a.read(g, nil, within); err != nil {
		return false, err
	}
	return true, a.rows(member, rest)
}

// slot gives the slot of the window of t, making it if there is none.
func (a *aggregator) slot(t int64) (slot int, end int64, err error) {
	slot, end, isNew := a.windows.find(t)
	if !isNew {
		return slot, end, nil
	}
	if err := a.slots.Set(a.windows.bytes() + (slot+1)*a.slotBytes); err != nil {
		return 0, 0, err
	}
	for i, c := range a.cells {
		if a.perSeries[i] == nil {
			c.grow()
		}
	}
	if a.aux != nil && (a.perSeries[0] == nil) {
		a.aux.grow()
	}
	return slot, end, nil
}

// member gives the slot of a series in the cells of aggregate i that are kept
// by series.
func (a *aggregator) member(i, member int) int {
	c := a.perSeries[i]
	for len(c.n) <= member {
		c.grow()
		if a.aux != nil {
			a.aux.grow()
		}
	}
	return member
}

// rows takes in the loaded rows, for the aggregates listed, or all.
func (a *aggregator) rows(member int, list []int) error {
	b := &a.load
	for lo := b.lo; lo < b.hi; {
		slot, end, err := a.slot(b.times[lo])
		if err != nil {
			return err
		}
		hi := lo + 1
		for step := 1; hi < b.hi && b.times[hi] < end; step *= 2 { // mostly there are few rows, or all that are left
			if next := min(hi+step, b.hi); b.times[next-1] < end {
				hi = next
				continue
			}
			step = 1
			hi++
		}
		if list != nil {
			for _, i := range list {
				a.add(i, slot, member, lo, hi)
			}
		} else {
			for i := range a.cells {
				a.add(i, slot, member, lo, hi)
			}
		}
		lo = hi
	}
	return a.checkBytes(member)
}

// checkBytes bounds the memory of the cells that are kept by series, and that
// of collected values and of texts.
func (a *aggregator) checkBytes(member int) error {
	bytes := 0
	for _, c := range a.perSeries {
		if c != nil {
			bytes = (member+1)*a.slotBytes + c.textBytes
		}
	}
	for _, c := range a.cells {
		bytes += c.listBytes + c.textBytes
	}
	if a.aux != nil {
		bytes += a.aux.textBytes
	}
	return a.texts.Set(bytes)
}

func (a *aggregator) add(i, slot, member, lo, hi int) {
	b := &a.load
	in := &b.inputs[a.f.Aggregates[i].Input]
	if in.Type == 0 {
		return
	}
	c := a.cells[i]
	if a.perSeries[i] != nil {
		c, slot = a.perSeries[i], a.member(i, member)
	}
	if row := c.add(slot, b.times, &in.Column, lo, hi); row >= 0 && a.aux != nil {
		a.aux.set(slot, b, row)
	}
}

// finish gives the group's states, nil for none, and clears them.
func (a *aggregator) finish(g *group) (*Partial, error) {
	p, err := a.partial(g.key)
	a.windows.reset()
	for i, c := range a.cells {
		c.reset()
		if a.perSeries[i] != nil {
			a.perSeries[i].reset()
		}
	}
	if a.aux != nil {
		a.aux.reset()
	}
	return p, err
}

func (a *aggregator) partial(key []string) (*Partial, error) {
	if len(a.windows.starts) == 0 {
		return nil, nil
	}
	for i, c := range a.perSeries {
		if c != nil {
			a.settle(i, c)
		}
	}
	slots, err := a.windows.order(a.ctx)
	if err != nil {
		return nil, err
	}
	slots = slices.DeleteFunc(slots, func(s int32) bool { return !a.some(s) })
	if len(slots) == 0 {
		return nil, nil
	}
	p := &Partial{Group: key, Times: gatherTimes(a.windows.starts, slots), Columns: make([]model.Column, 0, a.columns)}
	for _, c := range a.cells {
		p.Columns = c.appendColumns(p.Columns, slots)
	}
	if a.aux != nil {
		p.Columns = append(p.Columns, a.aux.columns(slots)...)
	}
	return p, nil
}

// some reports whether any aggregate has a value in a slot.
func (a *aggregator) some(slot int32) bool {
	for _, c := range a.cells {
		if c.n[slot] > 0 {
			return true
		}
	}
	return false
}

// settle decides which series' first or last row is the group's.
func (a *aggregator) settle(i int, per *cells) {
	c := a.cells[i]
	c.grow()
	best := tiedRow(per, a.aux, a.f.Descending)
	if best < 0 {
		if a.aux != nil {
			a.aux.keep(-1)
		}
		return
	}
	c.n[0], c.at[0] = 1, per.at[best]
	if c.t == model.String {
		c.text[0] = per.text[best]
	} else {
		c.v[0] = per.v[best]
	}
	if a.aux != nil {
		a.aux.keep(best)
	}
}
