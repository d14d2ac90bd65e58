package exec

import (
	"fmt"
	"math"
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// merged is the state of a group in a scan after all shards' partials.
type merged struct {
	scan    *plan.Scan
	account memory.Account
	windows *windows
	cells   []*cells
	aux     *auxiliary // nil without columns
	order   []int32    // the slots by time, backwards when descending
}

// aggregateGroup makes a series of the aggregates of the one scan. members are
// the streams that have the group now.
func (g *grouper) aggregateGroup(key []string, members []*head) error {
	m := g.takeMerged()
	defer g.keepMerged(m)
	if err := g.mergeGroup(m, key, members); err != nil || len(m.order) == 0 {
		return err
	}
	w := g.series(key)
	if err := g.writeMerged(m, w); err != nil {
		return err
	}
	return w.close()
}

func (g *grouper) newMerged(scan *plan.Scan) *merged {
	m := &merged{scan: scan, account: g.budget.Account(), windows: newWindows(&g.b.Window)}
	for _, a := range scan.Aggregates {
		m.cells = append(m.cells, newCells(a.Function, a.Type))
	}
	if types := g.b.Slots[g.b.AuxFrom:]; len(types) > 0 {
		m.aux = newAuxiliary(nil, types)
	}
	return m
}

// keptWindows is of how many windows the memory stays for the next group.
const keptWindows = 4096

// takeMerged gives the state of a group in the one scan, with the memory of the
// group before.
func (g *grouper) takeMerged() *merged {
	m := g.kept
	if g.kept = nil; m == nil {
		return g.newMerged(&g.b.Scans[0])
	}
	m.windows.reset()
	for _, c := range m.cells {
		c.reset()
	}
	if m.aux != nil {
		m.aux.reset()
	}
	return m
}

// keepMerged ends a group: what it held counts no more.
func (g *grouper) keepMerged(m *merged) {
	m.account.Close()
	if len(m.windows.starts) <= keptWindows {
		g.kept = m
	}
}

// mergeGroup takes in what all members say of a group, and finishes it.
func (g *grouper) mergeGroup(m *merged, key []string, members []*head) error {
	for _, h := range members {
		for h.part != nil && slices.Equal(h.part.Group, key) {
			if err := g.merge(m, h.part); err != nil {
				return err
			}
			if err := h.advance(g.ctx); err != nil {
				return err
			}
		}
	}
	var err error
	if m.order, err = m.windows.order(g.ctx); err != nil {
		return err
	}
	if g.b.Descending {
		slices.Reverse(m.order)
	}
	return g.settle(m)
}

// merge takes in a shard's partial.
func (g *grouper) merge(m *merged, p *Partial) error {
	if err := g.checkPartial(m.scan, p); err != nil {
		return err
	}
	for i, start := range p.Times {
		if i%checkEvery == 0 {
			if err := g.count(m); err != nil {
				return err
			}
		}
		slot, isNew := 0, len(m.windows.starts) == 0
		if g.b.Window.IsZero() {
			if isNew {
				m.windows.find(0)
			}
		} else {
			slot, isNew = m.windows.slotOf(start)
		}
		if isNew {
			for _, c := range m.cells {
				c.grow()
			}
			if m.aux != nil {
				m.aux.grow()
			}
		}
		col := 0
		for _, c := range m.cells {
			n := len(c.states)
			taken := c.merge(slot, p.Columns[col:col+n], i)
			col += n
			if taken && m.aux != nil {
				m.aux.merge(slot, p.Columns[auxColumns(m.scan):], i)
			}
		}
	}
	return g.count(m)
}

// count counts what is held of a group.
func (g *grouper) count(m *merged) error {
	bytes := m.windows.bytes() + len(m.windows.starts)*(len(m.cells)*cellBytes+len(g.b.Slots)*auxBytes)
	for _, c := range m.cells {
		bytes += c.listBytes + c.textBytes
	}
	if m.aux != nil {
		bytes += m.aux.textBytes
	}
	if err := m.account.Set(bytes); err != nil {
		return err
	}
	return g.ctx.Err()
}

// auxColumns gives the number of columns of states in a partial.
func auxColumns(scan *plan.Scan) int {
	n := 0
	for _, a := range scan.Aggregates {
		n += len(a.Function.States(a.Type))
	}
	return n
}

// checkPartial refuses a partial that is not of the plan's shape: it may come
// from another node.
func (g *grouper) checkPartial(scan *plan.Scan, p *Partial) error {
	var types []model.FieldType
	for _, a := range scan.Aggregates {
		types = append(types, a.Function.States(a.Type)...)
	}
	types = append(types, g.b.Slots[g.b.AuxFrom:]...)
	if len(p.Columns) != len(types) {
		return fmt.Errorf("merge partial: %d columns, not %d: %w", len(p.Columns), len(types), model.ErrCorrupt)
	}
	for i, t := range types {
		if c := &p.Columns[i]; c.Type != t || c.Len() != len(p.Times) {
			return fmt.Errorf("merge partial: column %d is %d of type %s: %w", i, c.Len(), c.Type, model.ErrCorrupt)
		}
	}
	return nil
}

// result gives the bits of a slot's aggregate that has a value and is no text.
func (c *cells) result(slot int) uint64 {
	switch {
	case c.f == function.Count:
		return uint64(c.n[slot])
	case c.f == function.Mean:
		return math.Float64bits(c.sum(slot) / float64(c.n[slot]))
	case c.f == function.Stddev: // of one value it is no number, so missing, but not to be filled
		return math.Float64bits(math.Sqrt(math.Float64frombits(c.w[slot]) / float64(c.n[slot]-1)))
	case c.f == function.Spread && c.t == model.Float:
		return math.Float64bits(math.Float64frombits(c.w[slot]) - math.Float64frombits(c.v[slot]))
	case c.f == function.Spread:
		return c.w[slot] - c.v[slot]
	}
	return c.v[slot]
}

func (c *cells) sum(slot int) float64 {
	switch c.t {
	case model.Float:
		return math.Float64frombits(c.v[slot])
	case model.Integer:
		return float64(int64(c.v[slot]))
	}
	return float64(c.v[slot])
}

// appendResult adds the slot's aggregate to out, or a missing value.
func (c *cells) appendResult(out *model.Column, slot int) {
	switch {
	case slot < 0 || c.n[slot] == 0:
		out.AppendNull()
	case out.Type == model.String:
		out.AppendText([]byte(c.text[slot]))
	default:
		out.AppendBits(c.result(slot))
	}
}

// newSlots gives empty columns for the bound's slots, with room for n numbers
// each.
func (g *grouper) newSlots(n int) []model.Column {
	slots := make([]model.Column, len(g.b.Slots))
	bits := make([]uint64, n*len(slots))
	for i, t := range g.b.Slots {
		slots[i].Type = t
		if t != model.String {
			slots[i].Bits = bits[i*n : i*n : (i+1)*n]
		}
	}
	return slots
}

// appendAux adds the columns of the row that a slot selected.
func (g *grouper) appendAux(slots []model.Column, m *merged, slot int) {
	if m.aux == nil {
		return
	}
	for i := range m.aux.types {
		out := &slots[g.b.AuxFrom+i]
		switch {
		case slot < 0 || !m.aux.has[i][slot]:
			out.AppendNull()
		case out.Type == model.String:
			out.AppendText([]byte(m.aux.text[i][slot]))
		default:
			out.AppendBits(m.aux.bits[i][slot])
		}
	}
}

// writeMerged writes the rows of a group.
func (g *grouper) writeMerged(m *merged, w *seriesWriter) error {
	if m.cells[0].f == function.Distinct {
		return g.writeDistinct(m, w)
	}
	if !slices.ContainsFunc(m.cells, func(c *cells) bool {
		return slices.ContainsFunc(c.n, func(n int64) bool { return n > 0 })
	}) {
		return nil // percentile() of too few values
	}
	if g.b.Window.IsZero() {
		slots := g.newSlots(1)
		for i, c := range m.cells {
			c.appendResult(&slots[i], 0)
		}
		g.appendAux(slots, m, 0)
		at := g.b.Range.Min
		switch {
		case g.b.PointTime:
			at = m.cells[0].at[0]
		case at == model.MinTime:
			at = 0
		}
		return w.write([]int64{at}, slots)
	}
	if g.b.Fill == plan.FillNone {
		return g.writeWindows(m, w)
	}
	return newFiller(g, m).write(w)
}

// outputRows is how many rows of windows are made at a time.
const outputRows = 4096

// writeWindows writes the windows that have values, and no others.
func (g *grouper) writeWindows(m *merged, w *seriesWriter) error {
	for order := m.order; len(order) > 0 && !w.full; {
		n := min(len(order), outputRows)
		slots := g.newSlots(n)
		times := make([]int64, 0, n)
		for _, slot := range order[:n] {
			if !slices.ContainsFunc(m.cells, func(c *cells) bool { return c.n[slot] > 0 }) {
				continue
			}
			at := plan.Label(m.windows.starts[slot])
			if g.b.PointTime {
				at = m.cells[0].at[slot]
			}
			times = append(times, at)
			for i, c := range m.cells {
				c.appendResult(&slots[i], int(slot))
			}
			g.appendAux(slots, m, int(slot))
		}
		order = order[n:]
		if err := w.write(times, slots); err != nil {
			return err
		}
		if err := g.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
