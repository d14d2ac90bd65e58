package exec

import (
	"errors"
	"io"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

const (
	// enoughRows is how many rows of a series are read before those of the next
	// are, where a filter leaves few of each granule.
	enoughRows = 64
	// smallRows is up to how many rows a granule is that is looked behind at once:
	// of many series it is the only one.
	smallRows = 128
	// seriesBytes is what a series takes beside its rows, inputBytes what it takes
	// for each input.
	seriesBytes = 200
	inputBytes  = 160
)

// seriesRows is the rows of one series, on their way.
type seriesRows struct {
	b          batch
	next       int  // how many rows of b went out
	descending bool // they go out from the last to the first

	// Of a series that is merged with others, b has copies of a few rows, in the
	// order in which they go out.
	id     uint32
	place  int // among the series of the group
	filter *plan.Expr
	rest   model.TimeRange // what was not read
	more   bool            // there may be rows there
	bytes  int             // of b
	rank   int             // of its leading tags
}

func (s *seriesRows) left() int { return s.b.len() - s.next }

// at gives the index in the batch of the row j after the next one.
func (s *seriesRows) at(j int) int {
	if s.descending {
		return s.b.row(s.b.len() - 1 - s.next - j)
	}
	return s.b.row(s.next + j)
}

// many hands out the rows of a group of several series, merged by time.
func (m *rowMerge) many(g *group) error {
	kept, err := m.open(g.series)
	if err != nil {
		return err
	}
	h, err := m.newHeap(kept)
	if err != nil {
		return err
	}
	for i := range kept {
		if kept[i].left() > 0 {
			h.add(&kept[i])
		}
	}
	h.init()
	for len(h.entries) > 0 && m.left() > 0 {
		s := h.pop()
		if m.mayCome != nil && !m.mayCome(s.id, s.b.times[s.at(0)]) {
			break
		}
		n := 1
		if len(h.entries) == 0 && m.mayCome == nil {
			n = min(s.left(), m.left()) // a series that is alone hands out all that it has
		}
		if err := m.move(g, s, n, len(h.entries)); err != nil {
			return err
		}
		if s.left() == 0 {
			if err := m.refill(s); err != nil {
				return err
			}
		}
		if s.left() > 0 {
			h.push(s)
		}
	}
	return m.flush()
}

// open reads the first rows of series, with other workers where they are many.
func (m *rowMerge) open(series []uint32) ([]seriesRows, error) {
	all := make([]seriesRows, 0, len(series))
	for i, id := range series {
		if filter, none := m.filter(id); !none {
			all = append(all, seriesRows{id: id, place: i, filter: filter, rest: m.f.Range, more: true})
		}
	}
	if err := m.account.Set(len(all) * seriesBytes); err != nil {
		return nil, err
	}
	extra := m.workers.take(len(all)/workerSeries - 1)
	defer m.workers.give(extra)
	helpers := make([]*rowMerge, 1+extra)
	helpers[0] = m
	for i := range extra {
		helpers[1+i] = m.newRowMerge()
	}
	err := together(extra, func(worker int) error {
		h := helpers[worker]
		for i := len(all) * worker / (1 + extra); i < len(all)*(worker+1)/(1+extra); i++ {
			h.runner.begin(&all[i].b, all[i].id)
			if err := h.refill(&all[i]); err != nil {
				return err
			}
		}
		return nil
	})
	for _, h := range helpers[1:] {
		if err == nil {
			err = m.account.Add(h.account.Held()) // what it has read is m's now
		}
		err = errors.Join(err, h.close())
	}
	return all, err
}

// refill reads the next rows of a series of which all that were read went out.
func (m *rowMerge) refill(s *seriesRows) error {
	if !s.more {
		return nil
	}
	s.b.clear()
	s.next = 0
	if m.load.inputs == nil {
		m.load.inputs = make([]vector, len(m.f.Inputs))
	}
	for i := range s.b.inputs { // tags, and that there is nothing of a field
		if len(m.inputs[i]) == 0 {
			m.load.inputs[i] = s.b.inputs[i]
		}
	}
	for m.cursor.Seek(s.id, s.rest); s.b.len() < enoughRows; {
		g, err := m.cursor.Next()
		if errors.Is(err, io.EOF) {
			s.more = false
			break
		} else if err != nil {
			return err
		}
		r := g.Range()
		if err := m.runner.load(&m.load, g, s.filter, s.rest); err != nil {
			return err
		}
		m.leaveEmptyRows(&m.load)
		s.b.take(&m.load, m.needed, m.f.Descending)
		if s.rest = after(s.rest, r, m.f.Descending); s.rest.Empty() {
			s.more = false
			break
		}
		if s.b.len() > 0 && g.Len() > smallRows {
			break
		}
	}
	bytes := s.b.bytes(m.needed)
	err := m.account.Add(bytes - s.bytes)
	s.bytes = bytes
	return err
}

// after gives what of rest follows a granule in the order of reading.
func after(rest, granule model.TimeRange, descending bool) model.TimeRange {
	switch {
	case descending && granule.Min <= rest.Min, !descending && granule.Max >= rest.Max:
		return model.TimeRange{Min: 1, Max: 0}
	case descending:
		rest.Max = granule.Min - 1
	default:
		rest.Min = granule.Max + 1
	}
	return rest
}

// clear takes all rows out of b and keeps the memory.
func (b *batch) clear() {
	b.times, b.rows, b.lo, b.hi = b.times[:0], nil, 0, 0
	for i := range b.inputs {
		if !b.inputs[i].constant {
			b.inputs[i].Reset()
		}
	}
}

// take copies the rows that count in from, of some inputs, to the end of b, the
// last one first if asked to.
func (b *batch) take(from *batch, inputs []int, backwards bool) {
	n := from.len()
	if n == 0 {
		return
	}
	run := from.rows == nil && !backwards
	row := func(i int) int {
		if backwards {
			i = n - 1 - i
		}
		return from.row(i)
	}
	if run {
		b.times = append(b.times, from.times[from.lo:from.hi]...)
	} else {
		for i := range n {
			b.times = append(b.times, from.times[row(i)])
		}
	}
	b.hi += n
	for _, j := range inputs {
		in, out := &from.inputs[j], &b.inputs[j].Column
		out.Field = in.Field
		switch {
		case in.Present != nil || out.Present != nil || in.Type == model.String:
			for i := range n {
				out.AppendRow(&in.Column, row(i))
			}
		case run:
			out.Bits = append(out.Bits, in.Bits[from.lo:from.hi]...)
		default:
			for i := range n {
				out.Bits = append(out.Bits, in.Bits[row(i)])
			}
		}
	}
}

// bytes gives what b takes, as far as it depends on the rows.
func (b *batch) bytes(inputs []int) int {
	n := 8*cap(b.times) + len(b.inputs)*inputBytes
	for _, j := range inputs {
		c := &b.inputs[j].Column
		n += 8*cap(c.Bits) + 4*cap(c.Ends) + cap(c.Text)
	}
	return n
}
