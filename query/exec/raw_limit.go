package exec

import (
	"bytes"
	"cmp"
	"container/heap"
	"errors"
	"io"
	"slices"

	"github.com/varvedb/varve/model"
)

// The first rows of many series are looked for among few of them: those whose
// first granule begins first. Nothing else is decoded, and no keys are sorted,
// so that SELECT * … LIMIT 1 over a million series takes as long as a walk over
// the heads of their granules.
//
// InfluxDB's order of rows with equal times and texts is what its heap of all
// series makes of them. That is not known of a few, so in such an answer they
// come in order of the series' keys, whatever the limit is: the pages of a
// dashboard fit together.
const (
	// manySeries is from how many series of a group on this is done, and fewRows
	// up to what limit, so that the rows can wait until it is known that they are
	// the first ones.
	manySeries = 1000
	fewRows    = chunkRows
	// Among so many series for each row wanted they are looked for at first, and
	// among so many times more when they are not there: filters and empty fields
	// leave out rows.
	pickedPerRow = 4
	pickedMore   = 16

	candidateBytes = 16
)

// picks reports whether a group's rows are looked for among few of its series.
func (r *runner) picks(series int) bool {
	return r.f.Raw() && r.f.RowLimit > 0 && r.f.RowLimit <= fewRows && series > manySeries
}

// candidate is a series and the first time that a row of it can have.
type candidate struct {
	series uint32
	first  int64
}

// pick hands out the first rows of a group of many series.
func (m *rowMerge) pick(g *group) error {
	held := m.budget.Account()
	defer held.Close()
	if err := held.Set(len(g.series) * candidateBytes); err != nil {
		return err
	}
	all, err := m.candidates(g.series)
	if err != nil {
		return err
	}
	for n := pickedPerRow * m.f.RowLimit; ; n *= pickedMore {
		p := &picking{rowMerge: m, n: n}
		p.tags, p.known = m.leadingTags()
		few, err := p.pick(all)
		if err != nil {
			return err
		}
		enough, err := m.among(g, few, p.rest)
		if enough || err != nil {
			return err
		}
	}
}

// candidates gives the series that can have rows. No row is decoded for it.
func (m *rowMerge) candidates(series []uint32) ([]candidate, error) {
	all := make([]candidate, 0, len(series))
	for i, id := range series {
		if i%checkEvery == 0 && m.ctx.Err() != nil {
			return nil, m.ctx.Err()
		}
		m.cursor.Seek(id, m.f.Range)
		g, err := m.cursor.Next()
		if errors.Is(err, io.EOF) {
			continue
		} else if err != nil {
			return nil, err
		}
		first := max(g.Range().Min, m.f.Range.Min)
		if m.f.Descending {
			first = min(g.Range().Max, m.f.Range.Max)
		}
		all = append(all, candidate{id, first})
	}
	return all, nil
}

// before reports whether time s comes before t in the answer.
func (m *rowMerge) before(s, t int64) bool { return s != t && (s < t) != m.f.Descending }

// leadingTexts gives the inputs by which rows of equal time are ordered.
func (m *rowMerge) leadingTexts() []int {
	n := 0
	for n < len(m.f.Columns) && m.f.Inputs[m.f.Columns[n]].Type == model.String {
		n++
	}
	return m.f.Columns[:n]
}

// leadingTags gives the tags among them, up to the first field: what that has is
// not known of a series whose rows were not read.
func (m *rowMerge) leadingTags() (tags []string, all bool) {
	for _, i := range m.leadingTexts() {
		if !m.f.Inputs[i].IsTag {
			return tags, false
		}
		tags = append(tags, m.f.Inputs[i].Tag)
	}
	return tags, true
}

// inOrder reports whether the next row of x comes before that of y at the same
// time, by their texts, a missing one being empty, and then by series.
func (h *rowHeap) inOrder(x, y *seriesRows) bool {
	text := func(s *seriesRows, input int) []byte {
		v := &s.b.inputs[input]
		if row := s.at(0); v.Type == model.String && v.has(row) {
			return v.Bytes(row * v.step())
		}
		return nil
	}
	for _, c := range h.columns {
		if order := bytes.Compare(text(x, c), text(y, c)); order != 0 {
			return (order < 0) != h.descending
		}
	}
	return x.place < y.place
}

// picking takes the candidates that come first. It is a heap of them with the
// last one on top.
type picking struct {
	*rowMerge
	n     int
	tags  []string // that order rows of equal time
	known bool     // nothing else does
	heap  []picked
	rest  *rest // of those that were not taken; nil: all were
}

// picked is a candidate and what orders it among those of its time.
type picked struct {
	candidate
	texts []byte // the leading tags, each ended by a 0
	key   []byte
}

// rest is where the series that were not picked begin.
type rest struct {
	first int64
	exact bool // rows of picked series that begin then come before theirs
}

func (p *picking) pick(all []candidate) ([]candidate, error) {
	if p.n >= len(all) {
		return slices.Clone(all), nil
	}
	for i, c := range all {
		if i%checkEvery == 0 && p.ctx.Err() != nil {
			return nil, p.ctx.Err()
		}
		switch {
		case len(p.heap) < p.n:
			heap.Push(p, p.order(c))
			continue
		case p.before(p.heap[0].first, c.first):
			p.leave(c.first)
			continue
		}
		x := p.order(c)
		if p.compare(&x, &p.heap[0]) >= 0 {
			p.leave(c.first)
			continue
		}
		p.leave(p.heap[0].first)
		p.heap[0] = x
		heap.Fix(p, 0)
	}
	few := make([]candidate, len(p.heap))
	for i := range p.heap {
		few[i] = p.heap[i].candidate
	}
	return few, nil
}

// order gives what orders a candidate.
func (p *picking) order(c candidate) picked {
	x := picked{candidate: c, key: p.src.Key(c.series)}
	if len(p.tags) > 0 {
		tags := p.src.Tags(c.series)
		for _, k := range p.tags {
			x.texts = append(append(x.texts, tags.Get(k)...), 0)
		}
	}
	return x
}

// leave notes that a series was not taken.
func (p *picking) leave(first int64) {
	if p.rest == nil {
		p.rest = &rest{first: first, exact: p.known}
	} else if p.before(first, p.rest.first) {
		p.rest.first = first
	}
}

func (p *picking) compare(x, y *picked) int {
	c := cmp.Or(cmp.Compare(x.first, y.first), bytes.Compare(x.texts, y.texts), bytes.Compare(x.key, y.key))
	if p.f.Descending {
		return -c
	}
	return c
}

func (p *picking) Len() int           { return len(p.heap) }
func (p *picking) Less(i, j int) bool { return p.compare(&p.heap[i], &p.heap[j]) > 0 }
func (p *picking) Swap(i, j int)      { p.heap[i], p.heap[j] = p.heap[j], p.heap[i] }
func (p *picking) Push(x any)         { p.heap = append(p.heap, x.(picked)) }
func (p *picking) Pop() any           { panic("a candidate is replaced, not removed") }

// among hands out the rows of some series of a group. It reports false, and
// hands out nothing, when others may have rows before the last of them.
func (m *rowMerge) among(g *group, few []candidate, others *rest) (enough bool, err error) {
	some := &group{key: g.key, series: make([]uint32, len(few))}
	first := make(map[uint32]int64, len(few))
	for i, c := range few {
		some.series[i] = c.series
		first[c.series] = c.first
	}
	if err := m.sortSeries(some.series); err != nil {
		return false, err
	}
	points, emit := m.points.Load(), m.emit
	var out []*Partial
	m.emit = func(p *Partial) error { out = append(out, p); return nil }
	m.ordered = true
	m.mayCome = func(series uint32, at int64) bool {
		return others == nil || m.before(at, others.first) || others.exact && at == others.first && first[series] == at
	}
	m.emitted = 0
	err = m.many(some)
	m.emit, m.ordered, m.mayCome = emit, false, nil
	if err != nil {
		return false, err
	}
	if others != nil && m.emitted < m.f.RowLimit {
		m.points.Store(points) // those will be read again
		return false, nil
	}
	for _, p := range out {
		if err := m.emit(p); err != nil {
			return false, err
		}
	}
	return true, nil
}
