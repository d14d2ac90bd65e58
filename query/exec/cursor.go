package exec

import (
	"maps"
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec/stage"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// source gives points of a call in a group, some at a time, in the order of the
// result; none at the end. They belong to the caller.
type source func() (stage.Points, error)

// cursor is the points of a call in a group that LIMIT and OFFSET leave: in
// InfluxDB they count the points of each call.
type cursor struct {
	source  source // nil at the end
	skip    int    // points of OFFSET that are still to come
	limited bool
	left    int // points of LIMIT that are still to come

	page    stage.Points
	at, end int // those from at up to end are still to come
}

func newCursor(b *plan.Bound, from source) *cursor {
	return &cursor{source: from, skip: b.Offset, limited: b.Limit > 0, left: b.Limit}
}

// more makes sure that there is a point at c.at, and reports false at the end.
func (c *cursor) more() (bool, error) {
	for c.at == c.end {
		if c.source == nil {
			return false, nil
		}
		page, err := c.source()
		if err != nil {
			return false, err
		}
		if c.page = page; len(page.Times) == 0 {
			c.source = nil
		}
		c.cut()
	}
	return true, nil
}

// cut leaves of the page what OFFSET and LIMIT do.
func (c *cursor) cut() {
	c.end = len(c.page.Times)
	c.at = min(c.skip, c.end)
	c.skip -= c.at
	if !c.limited {
		return
	}
	c.end = c.at + min(c.end-c.at, c.left)
	c.left -= c.end - c.at
	if c.left == 0 {
		c.source = nil
	}
}

// staged is points on their way through a call's stages.
type staged struct {
	*grouper
	source source // nil at the end
	stages []stage.Stage
	types  []model.FieldType // of the points behind each stage
	page   stage.Points
}

// stagedSource gives what the stages of a call make of from.
func (g *grouper) stagedSource(call *plan.BoundCall, from source, held *stage.Budget) (source, error) {
	if len(call.Stages) == 0 {
		return from, nil
	}
	s := &staged{grouper: g, source: from}
	for i := range call.Stages {
		made, err := stage.New(g.ctx, g.b, call, &call.Stages[i], held, g.apart)
		if err != nil {
			return nil, err
		}
		s.stages = append(s.stages, made)
		s.types = append(s.types, call.Stages[i].Function.Result(call.Stages[i].Type))
	}
	if first := &call.Stages[0]; first.Function == function.Percentile && !g.b.Window.IsZero() && g.b.Fill != plan.FillNone {
		return newFilled(g, s.next, s.types[0], false, call.Range).next, nil
	}
	return s.next, nil
}

func (s *staged) next() (stage.Points, error) {
	s.page = stage.Points{}
	for len(s.page.Times) == 0 && s.source != nil {
		in, err := s.source()
		if err != nil {
			return stage.Points{}, err
		}
		if len(in.Times) > 0 {
			err = s.run(0, in)
		} else {
			s.source = nil
			err = s.finish()
		}
		if err != nil {
			return stage.Points{}, err
		}
		if err := s.ctx.Err(); err != nil {
			return stage.Points{}, err
		}
	}
	return s.page, nil
}

// run takes points through the stages from the i-th on, into the page.
func (s *staged) run(i int, in stage.Points) error {
	for ; i < len(s.stages); i++ {
		out := s.behind(i)
		if err := s.stages[i].Add(&in, &out); err != nil {
			return err
		}
		in = out
	}
	s.page.AppendAll(&in)
	return nil
}

// finish ends the stages, one after the other.
func (s *staged) finish() error {
	for i, x := range s.stages {
		out := s.behind(i)
		if err := x.End(&out); err != nil {
			return err
		}
		if err := s.run(i+1, out); err != nil {
			return err
		}
	}
	return nil
}

// behind gives no points yet of those behind the i-th stage.
func (s *staged) behind(i int) stage.Points {
	return stage.NewPoints(s.types[i], s.b.Slots[s.b.AuxFrom:]...)
}

// rowSource gives the rows of a raw scan in which the call's field has a value.
// members and waiting are the scan's, as of group.
//
// Where a statement names a measurement twice, or in two policies, InfluxDB
// gives a function the rows of the first one and then those of the second,
// unless there are windows. So it is done here.
func (g *grouper) rowSource(key []string, members, waiting []*head) source {
	rows := &groupRows{grouper: g, key: key, members: members, waiting: waiting}
	parts := []*groupRows{rows}
	if g.b.Window.IsZero() {
		parts = rows.byFragment()
	}
	return func() (stage.Points, error) {
		for len(parts) > 0 {
			times, columns, err := parts[0].next()
			if err != nil {
				return stage.Points{}, err
			}
			if len(times) == 0 {
				parts = parts[1:]
				continue
			}
			last := len(columns) - 1
			p := stage.Points{Times: times, Value: columns[last], Aux: columns[:last:last]}
			if p.OnlyValues(); len(p.Times) > 0 {
				return p, nil
			}
		}
		return stage.Points{}, nil
	}
}

// byFragment gives the rows of each fragment apart.
func (r *groupRows) byFragment() []*groupRows {
	split := map[int]*groupRows{}
	of := func(h *head) *groupRows {
		if split[h.fragment] == nil {
			split[h.fragment] = &groupRows{grouper: r.grouper, key: r.key}
		}
		return split[h.fragment]
	}
	for _, h := range r.members {
		of(h).members = append(of(h).members, h)
	}
	for _, h := range r.waiting {
		of(h).waiting = append(of(h).waiting, h)
	}
	var parts []*groupRows
	for _, fragment := range slices.Sorted(maps.Keys(split)) {
		parts = append(parts, split[fragment])
	}
	return parts
}

// cellSource gives the results of an aggregate, with the windows that the fill
// option asks for.
func (g *grouper) cellSource(m *merged, call *plan.BoundCall) source {
	c := m.cells[call.Column]
	switch {
	case c.f == function.Distinct:
		return g.distinctPoints(m, c)
	case g.b.Window.IsZero() || g.b.Fill == plan.FillNone:
		return g.windowPoints(m, c)
	}
	counts := c.f == function.Count || c.f == function.CountDistinct
	return newFilled(g, g.windowPoints(m, c), c.f.Result(c.t), counts, call.Range).next
}

func noPoints() (stage.Points, error) { return stage.Points{}, nil }

// windowPoints gives the windows that have a value.
func (g *grouper) windowPoints(m *merged, c *cells) source {
	order := m.order
	return func() (stage.Points, error) {
		p := stage.NewPoints(c.f.Result(c.t))
		for ; len(order) > 0 && len(p.Times) < outputRows; order = order[1:] {
			slot := int(order[0])
			if c.n[slot] == 0 {
				continue
			}
			at := m.windows.starts[slot]
			if g.b.Window.IsZero() {
				at = g.b.Range.Min
			}
			p.Times = append(p.Times, plan.Label(at))
			c.appendResult(&p.Value, slot)
		}
		return p, g.ctx.Err()
	}
}
