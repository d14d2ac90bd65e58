package exec

import (
	"container/heap"
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// rawTaker hands on the rows of a subquery.
type rawTaker struct {
	*nestedRun
	direct  bool // the subquery's groups are those of the fragment
	key     []string
	begun   bool
	given   int // rows of the current group
	members []*memberRows
	tags    model.Tags // of the last member
	account memory.Account
}

// memberRows is the rows of one of the subquery's groups that become one group.
type memberRows struct {
	order  int
	pieces []*Partial // that are left
	row    int        // the next one of the first piece
}

func (n *nestedRun) newRawTaker() *rawTaker {
	return &rawTaker{
		nestedRun: n, direct: len(n.f.Inner.GroupBy) == len(n.f.GroupBy), account: n.budget.Account(),
	}
}

func (t *rawTaker) close() { t.account.Close() }

func (t *rawTaker) add(key []string, inner model.Tags, b *batch) error {
	if !t.begun || !slices.Equal(t.key, key) {
		if err := t.end(); err != nil {
			return err
		}
		t.begun, t.key, t.given, t.tags = true, key, 0, nil
	}
	p := t.partial(b)
	if t.direct {
		return t.give(p)
	}
	if n := len(t.members); n == 0 || !slices.Equal(t.tags, inner) {
		t.members = append(t.members, &memberRows{order: n})
		t.tags = inner
	}
	m := t.members[len(t.members)-1]
	m.pieces = append(m.pieces, p)
	return t.account.Add(partialBytes(p))
}

// partial gives rows as the fragment's columns.
func (t *rawTaker) partial(b *batch) *Partial {
	p := &Partial{Group: t.key, Times: b.times, Columns: make([]model.Column, len(t.f.Columns))}
	if b.rows != nil {
		p.Times = gatherTimes(b.times, b.rows)
	}
	for i, c := range t.f.Columns {
		v := &b.inputs[c]
		switch {
		case v.Type == 0:
			p.Columns[i] = missing(t.f.Inputs[c].Type, len(p.Times))
		case b.rows == nil || v.constant:
			p.Columns[i] = v.column(len(p.Times))
		default:
			p.Columns[i] = v.Column.Pick(b.rows)
		}
	}
	return p
}

// give hands out rows of the current group, up to the fragment's limit.
func (t *rawTaker) give(p *Partial) error {
	if inner := t.f.Inner; inner.PointTime && !inner.Window.IsZero() {
		for i, at := range p.Times {
			start, _ := inner.Window.Bounds(at)
			p.Times[i] = plan.Label(start)
		}
	}
	if limit := t.f.RowLimit; limit > 0 {
		if left := limit - t.given; len(p.Times) > left {
			p.Times = p.Times[:left]
			for i := range p.Columns {
				p.Columns[i] = cut(&p.Columns[i], 0, left)
			}
		}
	}
	t.given += len(p.Times)
	if len(p.Times) > 0 {
		if err := t.emit(p); err != nil {
			return err
		}
	}
	if t.f.RowLimit > 0 && t.given == t.f.RowLimit && len(t.f.GroupBy) == 0 && t.direct {
		return errEnough
	}
	return nil
}

// end hands out the rows that wait, in order of time, and of equal times in the
// order of their groups.
func (t *rawTaker) end() error {
	defer func() {
		t.members = nil
		t.account.Close()
	}()
	if len(t.members) == 1 {
		for _, p := range t.members[0].pieces {
			if err := t.give(p); err != nil {
				return err
			}
		}
		return nil
	}
	h := memberHeap{members: t.members, descending: t.f.Descending}
	heap.Init(&h)
	var out *Partial
	for len(h.members) > 0 {
		m := h.members[0]
		if out == nil {
			if err := t.ctx.Err(); err != nil {
				return err
			}
			out = &Partial{Group: t.key, Times: make([]int64, 0, chunkRows), Columns: make([]model.Column, len(t.f.Columns))}
			for i, c := range t.f.Columns {
				out.Columns[i].Type = t.f.Inputs[c].Type
			}
		}
		p := m.pieces[0]
		out.Times = append(out.Times, p.Times[m.row])
		for i := range out.Columns {
			out.Columns[i].AppendRow(&p.Columns[i], m.row)
		}
		if m.row++; m.row == len(p.Times) {
			m.pieces, m.row = m.pieces[1:], 0
		}
		if len(m.pieces) == 0 {
			heap.Pop(&h)
		} else {
			heap.Fix(&h, 0)
		}
		if len(out.Times) == chunkRows || len(h.members) == 0 || len(out.Times)%textRows == 0 && partialBytes(out) >= chunkText {
			if err := t.give(out); err != nil {
				return err
			}
			if out = nil; t.f.RowLimit > 0 && t.given >= t.f.RowLimit {
				return nil
			}
		}
	}
	return nil
}

// memberHeap orders members by their next rows.
type memberHeap struct {
	members    []*memberRows
	descending bool
}

func (h *memberHeap) Len() int      { return len(h.members) }
func (h *memberHeap) Swap(i, j int) { h.members[i], h.members[j] = h.members[j], h.members[i] }
func (h *memberHeap) Push(x any)    { h.members = append(h.members, x.(*memberRows)) }

func (h *memberHeap) Pop() any {
	n := len(h.members) - 1
	m := h.members[n]
	h.members = h.members[:n]
	return m
}

func (h *memberHeap) Less(i, j int) bool {
	x, y := h.members[i], h.members[j]
	if s, t := x.pieces[0].Times[x.row], y.pieces[0].Times[y.row]; s != t {
		return (s < t) != h.descending
	}
	return x.order < y.order
}
