package exec

import (
	"math"
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// filler writes the windows of a group one after the other, also those without
// points. How many there are depends on the query's range alone, so they are
// made in pieces.
type filler struct {
	*grouper
	sequence
	m     *merged
	calls []fillCall
}

// fillCall is an aggregate on its way through the windows.
type fillCall struct {
	c      *cells
	starts []int64 // of all slots' windows
	slots  []int32 // those with values, in order of the result
	at     int     // the next of them
}

func newFillCall(m *merged, c *cells) fillCall {
	call := fillCall{c: c, starts: m.windows.starts, slots: m.order}
	none := func(s int32) bool { return c.n[s] == 0 }
	if slices.ContainsFunc(m.order, none) { // else all calls share the list
		call.slots = slices.DeleteFunc(slices.Clone(m.order), none)
	}
	return call
}

func newFiller(g *grouper, m *merged) *filler {
	f := &filler{grouper: g, m: m, calls: make([]fillCall, 0, len(m.cells))}
	for _, c := range m.cells {
		f.calls = append(f.calls, newFillCall(m, c))
	}
	first, _ := f.nextPoint()
	last := first
	for _, c := range f.calls {
		if n := len(c.slots); n > 0 && g.before(last, c.start(n-1)) {
			last = c.start(n - 1)
		}
	}
	f.sequence = newSequence(g.b, g.b.Range, first, last)
	return f
}

// start gives the start of the i-th window that has a value.
func (c *fillCall) start(i int) int64 { return c.starts[c.slots[i]] }

// next gives the start of the next window that has a value.
func (c *fillCall) next() (start int64, ok bool) {
	if c.at == len(c.slots) {
		return 0, false
	}
	return c.start(c.at), true
}

// nextPoint gives the start of the next window in which a call has a value.
func (f *filler) nextPoint() (start int64, ok bool) {
	for i := range f.calls {
		if s, some := f.calls[i].next(); some && (!ok || f.before(s, start)) {
			start, ok = s, true
		}
	}
	return start, ok
}

func (f *filler) write(w *seriesWriter) error {
	if f.open {
		if err := f.b.CheckBuckets(f.sequence.next, f.end); err != nil {
			return err
		}
	}
	if f.b.FillBack {
		f.carry(w)
	}
	for !w.full {
		n := min(len(f.m.order), outputRows) // or more, where windows have no points
		slots, times := f.newSlots(n), make([]int64, 0, n)
		for len(times) < outputRows {
			start, ok := f.step(f.nextPoint())
			if !ok {
				break
			}
			times = append(times, plan.Label(start))
			f.row(slots, start)
		}
		if len(times) == 0 {
			return nil
		}
		if err := w.write(times, slots); err != nil {
			return err
		}
		if err := f.ctx.Err(); err != nil || len(times) < outputRows {
			return err
		}
	}
	return nil
}

// carry takes the values from before the windows of fill(previous, d).
func (f *filler) carry(w *seriesWriter) {
	for {
		start, some := f.nextPoint()
		if !some || !f.before(start, f.sequence.next) {
			return
		}
		slots := f.newSlots(1)
		f.row(slots, start)
		w.fill(slots, 1)
	}
}

// row adds the row of a window.
func (f *filler) row(slots []model.Column, start int64) {
	selected := -1
	for i := range f.calls {
		c := &f.calls[i]
		if s, ok := c.next(); ok && s == start {
			selected = int(c.slots[c.at])
			c.at++
			c.c.appendResult(&slots[i], selected)
			continue
		}
		f.fill(c, &slots[i], start)
	}
	f.appendAux(slots, f.m, selected)
}

// fill adds what stands where an aggregate has no value. The values of
// fill(number) and fill(previous) come when the row is written, also for
// groups in which the aggregate never has one.
func (f *filler) fill(c *fillCall, out *model.Column, start int64) {
	switch {
	case len(c.slots) == 0, f.open && (c.at == 0 && !f.b.Descending || c.at == len(c.slots) && f.b.Descending):
		out.AppendNull()
	default:
		c.fill(f.b, out, start)
	}
}

// fill adds what stands in a window without a value under fill(null) and
// fill(linear).
func (c *fillCall) fill(b *plan.Bound, out *model.Column, start int64) {
	switch {
	case b.Fill == plan.FillNull && (c.c.f == function.Count || c.c.f == function.CountDistinct):
		out.AppendBits(0)
	case b.Fill == plan.FillLinear && isNumber(out.Type) && c.at > 0 && c.at < len(c.slots):
		l, r := c.c.result(int(c.slots[c.at-1])), c.c.result(int(c.slots[c.at]))
		appendLinear(out, &b.Window, start, c.start(c.at-1), c.start(c.at), l, r)
	default:
		out.AppendNull()
	}
}

// appendLinear adds the value in the window at start on the line between the
// numbers l in the window at from and r in that at to. The numbers of the
// windows count, not their times.
func appendLinear(out *model.Column, w *plan.Window, start, from, to int64, l, r uint64) {
	x, width := float64(w.Index(start)-w.Index(from)), float64(w.Index(to)-w.Index(from))
	switch out.Type {
	case model.Float:
		a, b := math.Float64frombits(l), math.Float64frombits(r)
		out.AppendBits(math.Float64bits((b-a)/width*x + a))
	case model.Integer:
		a, b := int64(l), int64(r)
		out.AppendBits(uint64(int64(float64(b-a)/width*x + float64(a))))
	default:
		out.AppendBits(uint64(float64(r-l)/width*x + float64(l)))
	}
}

// isNumber reports whether values of a type lie on a line.
func isNumber(t model.FieldType) bool {
	return t == model.Float || t == model.Integer || t == model.Unsigned
}
