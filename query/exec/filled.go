package exec

import (
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec/stage"
	"github.com/varvedb/varve/query/plan"
)

// filled is the windows of a range, with the points that a source has of them
// and what the fill option puts into the others. A window without a value of
// its own is a point nevertheless, which transformations see.
type filled struct {
	*grouper
	sequence
	source source
	counts bool // fill(null) is 0
	r      model.TimeRange
	begun  bool
	first  int64 // the first window, once begun

	page stage.Points // of the source; those from at on are still to come
	at   int
	last stage.Points // the last one taken, or none
}

// newFilled fills what from gives: at most one point of a window, in the order
// of the result, at the window's start.
func newFilled(g *grouper, from source, t model.FieldType, counts bool, r model.TimeRange) *filled {
	return &filled{grouper: g, source: from, counts: counts, r: r, page: stage.NewPoints(t, g.b.Slots[g.b.AuxFrom:]...)}
}

// next gives windows, none at the end, or where there is no point at all.
func (f *filled) next() (stage.Points, error) {
	if !f.begun {
		if some, err := f.begin(); err != nil || !some {
			return stage.Points{}, err
		}
	}
	out := f.page.Empty()
	for len(out.Times) < outputRows {
		point, some, err := f.peek()
		if err != nil {
			return stage.Points{}, err
		}
		if f.open && f.b.Descending && some {
			f.end = point // which may be the last one
		}
		if f.open {
			if err := f.b.CheckBuckets(f.first, f.end); err != nil {
				return stage.Points{}, err
			}
		}
		start, ok := f.step(point, some)
		if !ok {
			break
		}
		if some && start == point {
			f.take()
			out.AppendRow(&f.last, 0, plan.Label(start))
			continue
		}
		f.fill(&out, start)
	}
	return out, f.ctx.Err()
}

// begin finds the first window. The points before it are only there to be
// carried into it by fill(previous, d).
func (f *filled) begin() (some bool, err error) {
	point, some, err := f.peek()
	if err != nil || !some {
		return false, err
	}
	f.begun, f.last = true, f.page.Empty()
	f.sequence = newSequence(f.b, f.r, point, point)
	f.first = f.sequence.next
	for some && f.b.FillBack && f.before(point, f.first) {
		f.take()
		if point, some, err = f.peek(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// take takes the point that peek gave.
func (f *filled) take() {
	f.last.Reset()
	f.last.AppendRow(&f.page, f.at, f.page.Times[f.at])
	f.at++
}

// peek gives the window of the source's next point.
func (f *filled) peek() (start int64, some bool, err error) {
	for f.at == len(f.page.Times) && f.source != nil {
		page, err := f.source()
		if err != nil {
			return 0, false, err
		}
		if f.at = 0; len(page.Times) == 0 {
			f.source, f.page, f.at = nil, f.page.Empty(), 0
			break
		}
		f.page = page
	}
	if f.at == len(f.page.Times) {
		return 0, false, nil
	}
	return f.page.Times[f.at], true, nil
}

// fill adds a window without a point.
func (f *filled) fill(out *stage.Points, start int64) {
	out.Times = append(out.Times, plan.Label(start))
	for i := range out.Aux {
		out.Aux[i].AppendNull()
	}
	switch v := &out.Value; {
	case f.b.Fill == plan.FillNumber:
		appendNumber(v, f.b.FillValue)
	case f.b.Fill == plan.FillNull && f.counts:
		v.AppendBits(0)
	case f.b.Fill == plan.FillPrevious && len(f.last.Times) > 0:
		v.AppendRow(&f.last.Value, 0)
	case f.b.Fill == plan.FillLinear && isNumber(v.Type) && len(f.last.Times) > 0 && f.at < len(f.page.Times):
		appendLinear(v, &f.b.Window, start, f.last.Times[0], f.page.Times[f.at], f.last.Value.Bits[0], f.page.Value.Bits[f.at])
	default:
		v.AppendNull()
	}
}
