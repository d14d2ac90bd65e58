package exec

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

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
	// texts is what is held beside the slots of windows: lists and texts of
	// unknown length, and the slots of series.
	texts memory.Account
}

// aggregate runs a fragment with aggregates.
func (r *runner) aggregate() error {
	a := &aggregator{runner: r, windows: newWindows(&r.f.Window), used: make([]bool, len(r.f.Inputs)), texts: r.budget.Account()}
	defer a.texts.Close()
	a.timed = len(r.f.Columns) > 0 || len(r.f.Aggregates) == 1 && r.f.Window.IsZero()
	for _, g := range r.f.Aggregates {
		t := r.f.Inputs[g.Input].Type
		if !g.Function.Valid() || !g.Function.Takes(t) {
			return fmt.Errorf("run fragment: %s of %s: %w", g.Function, t, model.ErrInvalid)
		}
		a.used[g.Input] = true
		a.cells = append(a.cells, newCells(g.Function, t))
		a.slotBytes += cellBytes
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
		for _, c := range r.f.Columns {
			a.used[c] = true
		}
	}
	a.stats = make([]model.Stats, len(a.cells))
	return a.run()
}

// run scans all groups with one cursor.
func (a *aggregator) run() error {
	var all []uint32
	filters := map[uint32]*plan.Expr{}
	for i := range a.groups {
		kept := a.groups[i].series[:0]
		for _, id := range a.groups[i].series {
			filter, none := a.filter(id)
			if none {
				continue
			}
			if filter != nil {
				filters[id] = filter
			}
			kept = append(kept, id)
		}
		a.groups[i].series = kept
		all = append(all, kept...)
	}
	if len(all) == 0 {
		return nil
	}
	cursor := a.src.Scan(ScanOptions{Series: all, Fields: a.fields, Range: a.f.Range, Descending: a.backwards()})
	err := a.scan(cursor, filters)
	return errors.Join(err, cursor.Close())
}

// backwards reports whether the newest granules should come first: then the
// first one of a series settles last().
func (a *aggregator) backwards() bool {
	for _, c := range a.cells {
		if c.f != function.Last {
			return false
		}
	}
	return true
}

func (a *aggregator) scan(cursor Cursor, filters map[uint32]*plan.Expr) error {
	at, member := 0, 0 // the group, and the series' place in it
	for {
		g, err := cursor.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if err := a.ctx.Err(); err != nil {
			return err
		}
		id := g.Series()
		for member >= len(a.groups[at].series) || a.groups[at].series[member] != id {
			if member++; member >= len(a.groups[at].series) {
				if err := a.finish(&a.groups[at]); err != nil {
					return err
				}
				if at, member = at+1, 0; at >= len(a.groups) {
					return fmt.Errorf("run fragment: series %d comes out of order: %w", id, model.ErrCorrupt)
				}
			}
		}
		if err := a.granule(g, member, filters[id]); err != nil {
			return err
		}
	}
	return a.finish(&a.groups[at])
}

// granule takes in a granule of the group's series number member.
func (a *aggregator) granule(g Granule, member int, filter *plan.Expr) error {
	loaded, err := a.byStats(g, member, filter)
	if loaded || err != nil {
		return err
	}
	if err := a.runner.load(&a.load, g, filter); err != nil {
		return err
	}
	a.load.pack(a.used)
	return a.rows(g.Series(), member, nil)
}

// byStats takes in a granule by its statistics where that is possible. It
// reports whether nothing of the granule is left to do.
func (a *aggregator) byStats(g Granule, member int, filter *plan.Expr) (done bool, err error) {
	r := g.Range()
	if filter != nil || !a.f.Range.Covers(r) {
		return false, nil
	}
	if !a.f.Window.IsZero() {
		if start, end := a.f.Window.Bounds(r.Min); r.Max >= end || r.Min < start {
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
		return true, a.read(0)
	}
	if err := a.runner.load(&a.load, g, nil); err != nil {
		return false, err
	}
	return true, a.rows(g.Series(), member, rest)
}

// slot gives the slot of the window of t, making it if there is none.
func (a *aggregator) slot(t int64) (slot int, end int64, err error) {
	slot, end, isNew := a.windows.find(t)
	if !isNew {
		return slot, end, nil
	}
	if err := a.account.Set(a.windows.bytes() + (slot+1)*a.slotBytes); err != nil {
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
func (a *aggregator) rows(series uint32, member int, list []int) error {
	b := &a.load
	for lo := b.lo; lo < b.hi; {
		slot, end, err := a.slot(b.times[lo])
		if err != nil {
			return err
		}
		hi := b.hi
		if b.times[hi-1] >= end {
			hi = lo + sort.Search(hi-lo, func(i int) bool { return b.times[lo+i] >= end })
		}
		if list != nil {
			for _, i := range list {
				a.add(i, slot, series, member, lo, hi)
			}
		} else {
			for i := range a.cells {
				a.add(i, slot, series, member, lo, hi)
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

func (a *aggregator) add(i, slot int, series uint32, member, lo, hi int) {
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

// finish hands out the group's states and clears them.
func (a *aggregator) finish(g *group) error {
	if len(a.windows.starts) > 0 {
		for i, c := range a.perSeries {
			if c != nil {
				a.settle(i, c)
			}
		}
		slots := slices.DeleteFunc(a.windows.order(), func(s int32) bool {
			return !slices.ContainsFunc(a.cells, func(c *cells) bool { return c.n[s] > 0 })
		})
		p := &Partial{Group: g.key, Times: make([]int64, len(slots))}
		for i, s := range slots {
			p.Times[i] = a.windows.starts[s]
		}
		for _, c := range a.cells {
			p.Columns = append(p.Columns, c.columns(slots)...)
		}
		if a.aux != nil {
			p.Columns = append(p.Columns, a.aux.columns(slots)...)
		}
		if len(slots) > 0 {
			if err := a.emit(p); err != nil {
				return err
			}
		}
	}
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
	return nil
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
