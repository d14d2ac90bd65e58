package exec

import (
	"errors"
	"io"

	"github.com/varvedb/varve/model"
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

// rows runs a fragment of raw rows: it merges the series of each group by time.
func (r *runner) rows() error {
	m := &rowMerge{runner: r}
	for i, c := range r.f.Columns {
		if r.f.Inputs[c].Type == model.String {
			m.texts = append(m.texts, i)
		}
	}
	for i := range r.groups {
		var err error
		if g := &r.groups[i]; r.picks(len(g.series)) {
			err = m.pick(g)
		} else {
			_, err = m.series(g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rowMerge merges the rows of a group's series by time.
type rowMerge struct {
	*runner
	out   *Partial
	texts []int // the columns of out that hold texts
	bytes int   // of the batches that are loaded

	// ordered has rows of equal time and texts come in order of their series, and
	// mayCome ends the merge at the row of a series for which it is false; nil is
	// never.
	ordered bool
	mayCome func(series uint32, at int64) bool
}

// series hands out the rows of a group and gives how many there were.
func (m *rowMerge) series(g *group) (rows int, err error) {
	var all []*seriesRows
	defer func() {
		for _, s := range all {
			err = errors.Join(err, s.cursor.Close())
		}
	}()
	m.bytes = 0
	h := rowHeap{descending: m.f.Descending, columns: m.f.Columns, ordered: m.ordered}
	if m.ordered {
		h.columns = m.leadingTexts()
	}
	var kept []uint32
	var filters []*plan.Expr
	for _, id := range g.series {
		if filter, none := m.filter(id); !none {
			kept, filters = append(kept, id), append(filters, filter)
		}
	}
	small := smallSeries{rowMerge: m, series: kept}
	defer func() { err = errors.Join(err, small.close()) }()
	for i := range kept {
		s := &seriesRows{id: kept[i], place: i, filter: filters[i]}
		ok, err := small.take(i, s)
		if err != nil {
			return 0, err
		}
		if !ok {
			m.bytes += cursorBytes
			s.cursor = m.scan(kept[i : i+1])
			all = append(all, s)
			if ok, err = m.advance(s); err != nil {
				return 0, err
			}
		}
		if ok && s.left() > 0 {
			h.rows = append(h.rows, s)
		}
	}
	return m.merge(g, &h)
}

// merge hands out the rows of the heap and gives how many there were.
func (m *rowMerge) merge(g *group, h *rowHeap) (emitted int, err error) {
	m.out = nil
	h.init()
	for len(h.rows) > 0 {
		s := h.pop()
		if m.mayCome != nil && !m.mayCome(s.id, s.b.times[s.at(0)]) {
			break
		}
		// A series that is alone hands out all that it has loaded at once.
		n := 1
		if len(h.rows) == 0 && m.mayCome == nil {
			n = s.left()
		}
		if limit := m.f.RowLimit; limit > 0 {
			n = min(n, limit-emitted)
		}
		for n > 0 {
			if m.out == nil {
				m.out = m.newPartial(g, h.left()+s.left(), n)
			}
			k := min(n, chunkRows-len(m.out.Times))
			if len(m.texts) > 0 {
				k = min(k, textRows)
			}
			m.append(s, k)
			n, emitted = n-k, emitted+k
			if len(m.out.Times) == chunkRows || m.outText() >= chunkText {
				if err := m.flush(); err != nil {
					return emitted, err
				}
			}
		}
		if m.f.RowLimit > 0 && emitted >= m.f.RowLimit {
			break
		}
		switch ok, err := m.advance(s); {
		case err != nil:
			return emitted, err
		case ok:
			h.push(s)
		}
	}
	return emitted, m.flush()
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
	for i, c := range m.f.Columns {
		p.Columns[i].Type = m.f.Inputs[c].Type
		if p.Columns[i].Type != model.String {
			p.Columns[i].Bits = make([]uint64, 0, n)
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

// advance makes sure that s has a next row; it reports false at the end.
func (m *rowMerge) advance(s *seriesRows) (bool, error) {
	for s.left() == 0 {
		m.bytes -= s.bytes
		s.bytes = 0
		if s.cursor == nil {
			return false, nil
		}
		g, err := s.cursor.Next()
		if errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if err := m.load(&s.b, g, s.filter); err != nil {
			return false, err
		}
		m.leaveEmptyRows(&s.b)
		s.next, s.descending = 0, m.f.Descending
		s.bytes = len(s.b.times) * (len(m.fields) + 1) * 8
		m.bytes += s.bytes
		if err := m.account.Set(m.bytes); err != nil {
			return false, err
		}
	}
	return true, nil
}

// leaveEmptyRows leaves out the rows in which no selected field has a value.
func (m *rowMerge) leaveEmptyRows(b *batch) {
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

// seriesRows is the rows of one series, on their way.
type seriesRows struct {
	id         uint32
	place      int    // among the series of the group
	cursor     Cursor // nil when all rows are in b
	filter     *plan.Expr
	b          batch
	next       int // how many rows of b went out
	bytes      int
	descending bool
}

func (s *seriesRows) left() int { return s.b.len() - s.next }

// at gives the index in the batch of the row j after the next one.
func (s *seriesRows) at(j int) int {
	if s.descending {
		return s.b.row(s.b.len() - 1 - s.next - j)
	}
	return s.b.row(s.next + j)
}

// rowHeap is a heap of series by their next row. Of rows with equal times and
// equal leading texts the order is whatever the heap makes of it; since it is
// the very heap that InfluxDB uses (that of container/heap, without the calls
// through an interface), rows come in InfluxDB's order.
type rowHeap struct {
	rows       []*seriesRows
	columns    []int
	descending bool
	ordered    bool // see inOrder
}

func (h *rowHeap) less(i, j int) bool {
	x, y := h.rows[i], h.rows[j]
	a, b := x.at(0), y.at(0)
	if s, t := x.b.times[a], y.b.times[b]; s != t {
		return (s < t) != h.descending
	}
	if h.ordered {
		return h.inOrder(x, y)
	}
	for _, c := range h.columns {
		v, w := &x.b.inputs[c], &y.b.inputs[c]
		if v.Type != model.String || w.Type != model.String || !v.has(a) || !w.has(b) {
			return false
		}
		s, t := v.Bytes(a*v.step()), w.Bytes(b*w.step())
		if string(s) != string(t) {
			return (string(s) < string(t)) != h.descending
		}
	}
	return false
}

// left gives the number of rows that are loaded.
func (h *rowHeap) left() int {
	n := 0
	for _, s := range h.rows {
		n += s.left()
	}
	return n
}

func (h *rowHeap) init() {
	for i := len(h.rows)/2 - 1; i >= 0; i-- {
		h.down(i, len(h.rows))
	}
}

func (h *rowHeap) push(s *seriesRows) {
	h.rows = append(h.rows, s)
	for j := len(h.rows) - 1; j > 0; {
		i := (j - 1) / 2
		if !h.less(j, i) {
			break
		}
		h.rows[i], h.rows[j] = h.rows[j], h.rows[i]
		j = i
	}
}

func (h *rowHeap) pop() *seriesRows {
	n := len(h.rows) - 1
	h.rows[0], h.rows[n] = h.rows[n], h.rows[0]
	h.down(0, n)
	s := h.rows[n]
	h.rows = h.rows[:n]
	return s
}

func (h *rowHeap) down(i, n int) {
	for {
		j := 2*i + 1
		if j >= n {
			return
		}
		if right := j + 1; right < n && h.less(right, j) {
			j = right
		}
		if !h.less(j, i) {
			return
		}
		h.rows[i], h.rows[j] = h.rows[j], h.rows[i]
		i = j
	}
}
