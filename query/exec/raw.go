package exec

import (
	"errors"
	"io"
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// A partial of raw rows has at most chunkRows. A text may have a megabyte, so
// it also ends once it has chunkText bytes of them, which is looked at after
// every textRows rows.
const (
	chunkRows = 4096
	chunkText = 4 << 20
	textRows  = 8
)

// rows runs a fragment of raw rows: it merges the series of each group by time,
// several groups at a time.
func (r *runner) rows() error {
	series := 0
	for i := range r.groups {
		series += len(r.groups[i].series)
	}
	tasks := r.tasks()
	extra := r.workers.take(min(len(tasks)-1, series/workerSeries-1))
	defer r.workers.give(extra)
	order := newTurns(len(tasks), r.emit)
	return together(extra, func(int) (err error) {
		m := r.newRowMerge()
		defer func() { err = errors.Join(err, m.close()) }()
		return order.work(func(task int, emit func(*Partial) error) error {
			m.emit = emit
			for i := range tasks[task] {
				if err := m.group(&tasks[task][i]); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// rowMerge merges the rows of a group's series by time.
type rowMerge struct {
	*runner
	emit    func(*Partial) error
	cursor  Cursor
	load    batch      // the granule that is read
	alone   seriesRows // the series of a group that has but one
	out     *Partial
	emitted int   // rows of the group
	texts   []int // the columns of out that hold texts
	account memory.Account

	// ordered has rows of equal time and texts come in order of their series, and
	// mayCome ends the merge at the row of a series for which it is false; nil is
	// never.
	ordered bool
	mayCome func(series uint32, at int64) bool
}

func (r *runner) newRowMerge() *rowMerge {
	m := &rowMerge{
		runner: r, account: r.budget.Account(),
		cursor: r.src.Scan(ScanOptions{Fields: r.fields, Range: r.f.Range, Descending: r.f.Descending}),
	}
	for i, c := range r.f.Columns {
		if r.f.Inputs[c].Type == model.String {
			m.texts = append(m.texts, i)
		}
	}
	return m
}

func (m *rowMerge) close() error {
	m.account.Close()
	return m.cursor.Close()
}

func (m *rowMerge) group(g *group) error {
	m.out, m.emitted = nil, 0
	switch {
	case len(g.series) == 1:
		return m.one(g)
	case m.picks(len(g.series)):
		return m.pick(g)
	}
	return m.many(g)
}

// left gives how many more rows of the group are wanted.
func (m *rowMerge) left() int {
	if m.f.RowLimit == 0 {
		return math.MaxInt
	}
	return m.f.RowLimit - m.emitted
}

// one hands out the rows of a group that is one series, granule by granule.
func (m *rowMerge) one(g *group) error {
	id := g.series[0]
	filter, none := m.filter(id)
	if none {
		return m.ctx.Err()
	}
	s := &m.alone
	m.begin(&s.b, id)
	s.descending = m.f.Descending
	for m.cursor.Seek(id, m.f.Range); m.left() > 0; {
		granule, err := m.cursor.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if m.left() == 1 && m.byStats(g, s, granule, filter) {
			continue
		}
		if err := m.runner.load(&s.b, granule, filter, m.f.Range); err != nil {
			return err
		}
		m.leaveEmptyRows(&s.b)
		s.next = 0
		if err := m.move(g, s, min(s.left(), m.left()), s.left()); err != nil {
			return err
		}
	}
	return m.flush()
}

// byStats takes the last row of a granule, or the first one, from statistics. It
// reports false where they do not have it.
func (m *rowMerge) byStats(g *group, s *seriesRows, granule Granule, filter *plan.Expr) bool {
	r := granule.Range()
	if filter != nil || len(m.tested) > 0 || !m.f.Range.Covers(r) {
		return false
	}
	p := m.newPartial(g, 0, 1)
	some := false
	for i, c := range m.f.Columns {
		out := &p.Columns[i]
		if v := &s.b.inputs[c]; m.f.Inputs[c].IsTag {
			if v.Type == 0 {
				out.AppendNull()
			} else {
				out.Ends, out.Text = v.Ends, v.Text // of this series alone, which ends here
			}
			continue
		}
		fields := m.inputs[c]
		if len(fields) == 0 {
			out.AppendNull()
			continue
		}
		st, ok := granule.Stats(fields[0])
		switch {
		case !ok || len(fields) > 1 || out.Type == model.String || m.fields[fields[0]].Type != out.Type:
			return false
		case st.Count == 0:
			out.AppendNull()
		case st.Count < granule.Len():
			return false
		case m.f.Descending:
			out.AppendBits(st.Last)
			some = true
		default:
			out.AppendBits(st.First)
			some = true
		}
	}
	if !some {
		return true // no row of the granule has a value
	}
	at := r.Min
	if m.f.Descending {
		at = r.Max
	}
	p.Times = append(p.Times, at)
	if m.out == nil {
		m.out = p
	} else {
		m.out.Times = append(m.out.Times, at)
		for i := range p.Columns {
			m.out.Columns[i].AppendRow(&p.Columns[i], 0)
		}
	}
	m.emitted++
	return true
}

// move moves the next n rows of s to the output. loaded is how many rows are at
// hand.
func (m *rowMerge) move(g *group, s *seriesRows, n, loaded int) error {
	m.emitted += n
	for n > 0 {
		if m.out == nil {
			m.out = m.newPartial(g, loaded, n)
		}
		k := min(n, chunkRows-len(m.out.Times))
		if len(m.texts) > 0 {
			k = min(k, textRows)
		}
		m.append(s, k)
		n -= k
		if err := m.flushFull(); err != nil {
			return err
		}
	}
	return nil
}

// newPartial gives an empty partial with room for at least n rows. loaded is
// how many rows are at hand: where those are many, more will follow, so there
// is room for a full partial then, unless the fragment's limit is near.
func (m *rowMerge) newPartial(g *group, loaded, n int) *Partial {
	if loaded > chunkRows/16 {
		n = chunkRows
	}
	if limit := m.f.RowLimit; limit > 0 {
		n = min(n, limit)
	}
	p := &Partial{Group: g.key, Times: make([]int64, 0, n), Columns: make([]model.Column, len(m.f.Columns))}
	numbers := 0
	for i, c := range m.f.Columns {
		if p.Columns[i].Type = m.f.Inputs[c].Type; p.Columns[i].Type != model.String {
			numbers++
		}
	}
	bits := make([]uint64, n*numbers)
	for i := range p.Columns {
		if p.Columns[i].Type != model.String {
			p.Columns[i].Bits, bits = bits[:0:n], bits[n:]
		}
	}
	return p
}

// outText gives the bytes of text in the output.
func (m *rowMerge) outText() int {
	n := 0
	for _, i := range m.texts {
		n += len(m.out.Columns[i].Text)
	}
	return n
}

func (m *rowMerge) flushFull() error {
	if len(m.out.Times) < chunkRows && m.outText() < chunkText {
		return nil
	}
	return m.flush()
}

func (m *rowMerge) flush() error {
	if m.out == nil || len(m.out.Times) == 0 {
		return nil
	}
	p := m.out
	m.out = nil
	return m.emit(p)
}

// append moves the next k rows of s to the output. Where k is more than one
// the rows are whole columns' worth, so the loop over columns is outside.
func (m *rowMerge) append(s *seriesRows, k int) {
	run := s.b.rows == nil && !s.descending // the rows stand together
	first := s.at(0)
	if run {
		m.out.Times = append(m.out.Times, s.b.times[first:first+k]...)
	} else {
		for j := range k {
			m.out.Times = append(m.out.Times, s.b.times[s.at(j)])
		}
	}
	for i, c := range m.f.Columns {
		v, out := &s.b.inputs[c], &m.out.Columns[i]
		if v.Type == 0 {
			for range k {
				out.AppendNull()
			}
			continue
		}
		step := v.step()
		if v.full() && out.Present == nil && v.Type != model.String {
			if run && step == 1 {
				out.Bits = append(out.Bits, v.Bits[first:first+k]...)
				continue
			}
			for j := range k {
				out.Bits = append(out.Bits, v.Bits[s.at(j)*step])
			}
			continue
		}
		for j := range k {
			out.AppendRow(&v.Column, s.at(j)*step)
		}
	}
	s.next += k
}

// leaveEmptyRows leaves out the rows in which no selected field has a value.
func (m *rowMerge) leaveEmptyRows(b *batch) {
	if b.len() == 0 {
		return
	}
	var some []*vector
	for _, c := range m.f.Columns {
		v := &b.inputs[c]
		if m.f.Inputs[c].IsTag || v.Type == 0 {
			continue
		}
		if v.full() {
			return
		}
		some = append(some, v)
	}
	kept := make([]int32, 0, b.len())
	for i := range b.len() {
		row := b.row(i)
		for _, v := range some {
			if v.has(row) {
				kept = append(kept, int32(row))
				break
			}
		}
	}
	b.rows = kept
}
