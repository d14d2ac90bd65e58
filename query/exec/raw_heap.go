package exec

import (
	"bytes"
	"context"

	"github.com/varvedb/varve/internal/sorting"
	"github.com/varvedb/varve/model"
)

// rowHeap is a heap of series by their next row. Of rows with equal times and
// equal leading texts the order is whatever the heap makes of it; since it is
// the very heap that InfluxDB uses (that of container/heap, without the calls
// through an interface), rows come in InfluxDB's order.
type rowHeap struct {
	entries    []heapEntry
	columns    []int // that rows of one time are ordered by, behind the ranks
	descending bool
	ordered    bool // see inOrder
}

// heapEntry is a series with what mostly decides its place.
type heapEntry struct {
	time int64
	rank int // of the leading tags
	s    *seriesRows
}

// newHeap gives an empty heap for series of a group. The tags that lead the
// columns are compared but once, where all series have them.
func (m *rowMerge) newHeap(series []seriesRows) (*rowHeap, error) {
	h := &rowHeap{descending: m.f.Descending, columns: m.f.Columns}
	if m.ordered {
		h.ordered, h.columns = true, m.leadingTexts()
		return h, nil
	}
	tags := 0
	for tags < len(m.f.Columns) && m.f.Inputs[m.f.Columns[tags]].IsTag {
		tags++
	}
	if tags == 0 {
		return h, nil
	}
	lead := m.f.Columns[:tags]
	for i := range series {
		for _, c := range lead {
			if series[i].b.inputs[c].Type == 0 {
				return h, nil // rows without a text are ordered by none of those behind it
			}
		}
	}
	h.columns = m.f.Columns[tags:]
	return h, rankByTexts(m.ctx, series, lead)
}

// rankByTexts orders series by inputs that are tags: equal ones have one rank.
func rankByTexts(ctx context.Context, series []seriesRows, inputs []int) error {
	order := make([]*seriesRows, len(series))
	for i := range series {
		order[i] = &series[i]
	}
	byTexts := func(x, y *seriesRows) int {
		for _, c := range inputs {
			if n := bytes.Compare(x.b.inputs[c].Text, y.b.inputs[c].Text); n != 0 {
				return n
			}
		}
		return 0
	}
	if err := sorting.Values(ctx, order, byTexts); err != nil {
		return err
	}
	for i := 1; i < len(order); i++ {
		order[i].rank = order[i-1].rank
		if byTexts(order[i-1], order[i]) != 0 {
			order[i].rank++
		}
	}
	return nil
}

func (h *rowHeap) add(s *seriesRows) {
	h.entries = append(h.entries, heapEntry{time: s.b.times[s.at(0)], rank: s.rank, s: s})
}

func (h *rowHeap) less(i, j int) bool {
	x, y := &h.entries[i], &h.entries[j]
	switch {
	case x.time != y.time:
		return (x.time < y.time) != h.descending
	case x.rank != y.rank:
		return (x.rank < y.rank) != h.descending
	}
	if h.ordered {
		return h.inOrder(x.s, y.s)
	}
	a, b := x.s.at(0), y.s.at(0)
	for _, c := range h.columns {
		v, w := &x.s.b.inputs[c], &y.s.b.inputs[c]
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

func (h *rowHeap) init() {
	for i := len(h.entries)/2 - 1; i >= 0; i-- {
		h.down(i, len(h.entries))
	}
}

func (h *rowHeap) push(s *seriesRows) {
	h.add(s)
	for j := len(h.entries) - 1; j > 0; {
		i := (j - 1) / 2
		if !h.less(j, i) {
			break
		}
		h.entries[i], h.entries[j] = h.entries[j], h.entries[i]
		j = i
	}
}

func (h *rowHeap) pop() *seriesRows {
	n := len(h.entries) - 1
	h.entries[0], h.entries[n] = h.entries[n], h.entries[0]
	h.down(0, n)
	s := h.entries[n].s
	h.entries = h.entries[:n]
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
		h.entries[i], h.entries[j] = h.entries[j], h.entries[i]
		i = j
	}
}
