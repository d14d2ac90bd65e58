package exec

import (
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// source gives the points that a call's stages begin with, some at a time, in
// the order of the result; none at the end. They belong to the caller.
type source func() (points, error)

// cursor is the points of a call in a group. They are made as they are asked
// for.
type cursor struct {
	*grouper
	source source // nil at the end
	stages []stage
	types  []model.FieldType // of the points behind each stage
	aux    []model.FieldType

	skip    int // points of OFFSET that are still to come
	limited bool
	left    int // points of LIMIT that are still to come

	page    points // made and not yet taken are those from at up to end
	at, end int
}

// newCursor makes the points of the i-th call of source.
func (g *grouper) newCursor(call *plan.BoundCall, from source, held *budget) (*cursor, error) {
	c := &cursor{grouper: g, source: from, aux: g.b.Slots[g.b.AuxFrom:], skip: g.b.Offset, limited: g.b.Limit > 0, left: g.b.Limit}
	for i := range call.Stages {
		s := &call.Stages[i]
		made, err := newStage(g.ctx, g.b, call, s, held)
		if err != nil {
			return nil, err
		}
		c.stages = append(c.stages, made)
		c.types = append(c.types, s.Function.Result(s.Type))
	}
	return c, nil
}

// more makes sure that there is a point at c.at, and reports false at the end.
func (c *cursor) more() (bool, error) {
	for c.at == c.end {
		if c.source == nil {
			return false, nil
		}
		if err := c.ctx.Err(); err != nil {
			return false, err
		}
		c.page = points{}
		in, err := c.source()
		switch {
		case err != nil:
			return false, err
		case len(in.times) > 0:
			err = c.run(0, in)
		default:
			c.source = nil
			err = c.finish()
		}
		if err != nil {
			return false, err
		}
		c.cut()
	}
	return true, nil
}

// run takes points through the stages from the i-th on, into the page.
func (c *cursor) run(i int, in points) error {
	for ; i < len(c.stages); i++ {
		out := newPoints(c.types[i], c.aux...)
		if err := c.stages[i].add(&in, &out); err != nil {
			return err
		}
		in = out
	}
	c.page.appendAll(&in)
	return nil
}

// finish ends the stages, one after the other.
func (c *cursor) finish() error {
	for i, s := range c.stages {
		out := newPoints(c.types[i], c.aux...)
		if err := s.end(&out); err != nil {
			return err
		}
		if err := c.run(i+1, out); err != nil {
			return err
		}
	}
	return nil
}

// cut leaves of the page what OFFSET and LIMIT do: in InfluxDB they count the
// points of each call.
func (c *cursor) cut() {
	c.end = len(c.page.times)
	c.at = min(c.skip, c.end)
	c.skip -= c.at
	if !c.limited {
		return
	}
	c.end = min(c.end, c.at+c.left)
	c.left -= c.end - c.at
	if c.left == 0 {
		c.source = nil
	}
}

// rowSource gives the rows of a raw scan in which the call's field has a value.
func rowSource(rows *groupRows) source {
	return func() (points, error) {
		for {
			times, columns, err := rows.next()
			if err != nil || len(times) == 0 {
				return points{}, err
			}
			last := len(columns) - 1
			p := points{times: times, value: columns[last], aux: columns[:last:last]}
			if p.onlyValues(); len(p.times) > 0 {
				return p, nil
			}
		}
	}
}

// onlyValues leaves the rows that have a value.
func (p *points) onlyValues() {
	n := p.value.Count()
	if n == len(p.times) {
		p.value.Present = nil
		return
	}
	rows := make([]int32, 0, n)
	times := make([]int64, 0, n)
	for i, at := range p.times {
		if p.value.Has(i) {
			rows = append(rows, int32(i))
			times = append(times, at)
		}
	}
	p.times = times
	p.value = pick(&p.value, rows)
	p.value.Present = nil
	for i := range p.aux {
		p.aux[i] = pick(&p.aux[i], rows)
	}
}

// cellSource gives the results of an aggregate, with the windows that the fill
// option asks for.
func (g *grouper) cellSource(m *merged, call *plan.BoundCall) source {
	c := m.cells[call.Column]
	switch {
	case !slices.ContainsFunc(c.n, func(n int64) bool { return n > 0 }):
		return noPoints
	case c.f == function.Distinct:
		return g.distinctPoints(m, c)
	case g.b.Window.IsZero() || g.b.Fill == plan.FillNone:
		return g.unfilledPoints(m, c)
	}
	return newFilledPoints(g, m, c, call.Range).next
}

func noPoints() (points, error) { return points{}, nil }

// unfilledPoints gives the windows that have a value.
func (g *grouper) unfilledPoints(m *merged, c *cells) source {
	order := m.order
	return func() (points, error) {
		p := newPoints(c.f.Result(c.t))
		for ; len(order) > 0 && len(p.times) < outputRows; order = order[1:] {
			slot := int(order[0])
			if c.n[slot] == 0 {
				continue
			}
			at := m.windows.starts[slot]
			if g.b.Window.IsZero() {
				at = g.b.Range.Min
			}
			p.times = append(p.times, label(at))
			c.appendPoint(&p.value, slot)
		}
		return p, g.ctx.Err()
	}
}

// appendPoint adds the slot's aggregate as a point. The deviation of a single
// value is a point without a value.
func (c *cells) appendPoint(out *model.Column, slot int) {
	if c.f == function.Stddev && c.n[slot] == 1 {
		out.AppendNull()
		return
	}
	c.appendResult(out, slot)
}

// filledPoints gives the windows of a range, those without a value filled.
type filledPoints struct {
	*grouper
	sequence
	call fillCall
	last model.Column // the last value, in its one row, for fill(previous)
}

func newFilledPoints(g *grouper, m *merged, c *cells, r model.TimeRange) *filledPoints {
	call := newFillCall(m, c)
	f := &filledPoints{grouper: g, call: call, last: newPoints(c.f.Result(c.t)).value}
	f.sequence = newSequence(g.b, r, call.start(0), call.start(len(call.slots)-1))
	f.last.AppendNull()
	if g.b.FillBack {
		f.carry()
	}
	return f
}

// carry takes the last value from before the windows of fill(previous, d).
func (f *filledPoints) carry() {
	for at, some := f.call.next(); some && f.before(at, f.sequence.next); at, some = f.call.next() {
		f.call.at++
	}
	if n := f.call.at; n > 0 {
		f.last.Reset()
		f.call.c.appendPoint(&f.last, int(f.call.slots[n-1]))
	}
}

func (f *filledPoints) next() (points, error) {
	if err := f.check(); err != nil {
		return points{}, err
	}
	p := newPoints(f.last.Type)
	for len(p.times) < outputRows {
		point, some := f.call.next()
		start, ok := f.step(point, some)
		if !ok {
			break
		}
		p.times = append(p.times, label(start))
		if some && start == point {
			f.call.c.appendPoint(&p.value, int(f.call.slots[f.call.at]))
			f.call.at++
			f.last.Reset()
			f.last.AppendRow(&p.value, len(p.times)-1)
			continue
		}
		f.fill(&p.value, start)
	}
	return p, f.ctx.Err()
}

// fill adds what stands in a window without a value.
func (f *filledPoints) fill(out *model.Column, start int64) {
	switch f.b.Fill {
	case plan.FillNumber:
		appendNumber(out, f.b.FillValue)
	case plan.FillPrevious:
		out.AppendRow(&f.last, 0)
	default:
		f.call.fill(f.b, out, start)
	}
}
