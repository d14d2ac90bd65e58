package exec

import (
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// filler writes the windows of a group one after the other, also those without
// points. How many there are depends on the query's range alone, so they are
// made in pieces.
type filler struct {
	*grouper
	m     *merged
	calls []fillCall

	next   int64 // the next window of the sequence
	end    int64 // its last one
	zone   int64 // the zone's offset at next
	ranOut bool  // the sequence is over
	open   bool  // the range has no beginning
}

// fillCall is an aggregate on its way through the windows.
type fillCall struct {
	c     *cells
	slots []int32 // those with values, in order of the result
	at    int     // the next of them
}

func newFiller(g *grouper, m *merged) *filler {
	f := &filler{grouper: g, m: m, calls: make([]fillCall, len(m.cells))}
	for i, c := range m.cells {
		f.calls[i].c = c
		for _, s := range m.order {
			if c.n[s] > 0 {
				f.calls[i].slots = append(f.calls[i].slots, s)
			}
		}
	}
	r := g.b.Range
	f.open = r.Min == model.MinTime
	first, _ := f.nextPoint()
	last := first
	for _, c := range f.calls {
		if n := len(c.slots); n > 0 && f.after(m.windows.starts[c.slots[n-1]], last) {
			last = m.windows.starts[c.slots[n-1]]
		}
	}
	if g.b.Descending {
		f.next, _ = g.b.Window.Bounds(r.Max)
		if f.end, _ = g.b.Window.Bounds(r.Min); f.open {
			f.end = last
		}
	} else {
		if f.next, _ = g.b.Window.Bounds(r.Min); f.open {
			f.next = first
		}
		f.end, _ = g.b.Window.Bounds(r.Max)
	}
	f.zone = g.b.Window.ZoneOffset(f.next)
	return f
}

// after reports whether s comes after t in the result.
func (f *filler) after(s, t int64) bool { return s != t && (s > t) != f.b.Descending }

// step gives the start of the next row's window, false at the end.
func (f *filler) step() (int64, bool) {
	f.ranOut = f.ranOut || f.after(f.next, f.end)
	// A window of points that the sequence misses, where a zone's clock changes.
	at, some := f.nextPoint()
	if f.ranOut || some && f.after(f.next, at) {
		return at, some
	}
	at = f.next
	next, zone := f.b.Window.Next(f.next, f.zone, f.b.Descending)
	if !f.after(next, f.next) {
		f.ranOut = true // past the end of time
	}
	f.next, f.zone = next, zone
	return at, true
}

// nextPoint gives the start of the next window that has a value.
func (f *filler) nextPoint() (start int64, ok bool) {
	for i := range f.calls {
		c := &f.calls[i]
		if c.at == len(c.slots) {
			continue
		}
		if s := f.m.windows.starts[c.slots[c.at]]; !ok || f.after(start, s) {
			start, ok = s, true
		}
	}
	return start, ok
}

func (f *filler) write(w *seriesWriter) error {
	if f.open {
		if err := f.b.CheckBuckets(f.next, f.end); err != nil {
			return err
		}
	}
	for !w.full {
		slots := f.newSlots()
		var times []int64
		for len(times) < outputRows {
			start, ok := f.step()
			if !ok {
				break
			}
			times = append(times, label(start))
			f.row(slots, start)
		}
		if len(times) == 0 {
			return nil
		}
		if err := w.write(times, slots); err != nil {
			return err
		}
		if err := f.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// row adds the row of a window.
func (f *filler) row(slots []model.Column, start int64) {
	selected := -1
	for i := range f.calls {
		c := &f.calls[i]
		if c.at < len(c.slots) && f.m.windows.starts[c.slots[c.at]] == start {
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
	case f.b.Fill == plan.FillNull && (c.c.f == function.Count || c.c.f == function.CountDistinct):
		out.AppendBits(0)
	case f.b.Fill == plan.FillLinear && c.at > 0 && c.at < len(c.slots):
		f.fillLinear(c, out, start)
	default:
		out.AppendNull()
	}
}

// fillLinear adds the value on the line between the values on both sides, over
// the numbers of their windows.
func (f *filler) fillLinear(c *fillCall, out *model.Column, start int64) {
	if out.Type == model.String || out.Type == model.Boolean {
		out.AppendNull()
		return
	}
	left, right := int(c.slots[c.at-1]), int(c.slots[c.at])
	every := f.b.Window.Every
	from, to := f.m.windows.starts[left]/every, f.m.windows.starts[right]/every
	x, width := float64(start/every-from), float64(to-from)
	l, r := c.c.result(left), c.c.result(right)
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
