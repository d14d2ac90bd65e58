package exec

import (
	"container/heap"

	"github.com/varvedb/varve/query/function"
)

// tiedRow gives the slot of first() or last() without windows, where each slot
// is the first or last row of a series, in order of the series' keys
// (backwards when descending is set). It gives -1 when no slot has a value.
//
// InfluxDB merges the series with a heap, takes two rows off it, and keeps the
// better one of those. That matters when rows of several series have the same
// time, which is the rule where many hosts report at full seconds; so the same
// is done here.
func tiedRow(c *cells, aux *auxiliary, descending bool) int {
	h := &tieHeap{c: c, aux: aux, last: c.f == function.Last}
	for i := range c.n {
		if c.n[i] > 0 {
			h.slots = append(h.slots, i)
		}
	}
	if len(h.slots) == 0 {
		return -1
	}
	if h.last != descending {
		for i, j := 0, len(h.slots)-1; i < j; i, j = i+1, j-1 {
			h.slots[i], h.slots[j] = h.slots[j], h.slots[i]
		}
	}
	heap.Init(h)
	best := heap.Pop(h).(int)
	if len(h.slots) > 0 {
		next := h.slots[0]
		better := false
		if c.at[next] == c.at[best] {
			if c.text != nil {
				better = c.betterText(best, c.at[next], c.text[next])
			} else {
				better = c.better(best, c.at[next], c.v[next])
			}
		}
		if better {
			best = next
		}
	}
	return best
}

// tieHeap orders slots as raw rows are ordered.
type tieHeap struct {
	slots []int
	c     *cells
	aux   *auxiliary
	last  bool
}

func (h *tieHeap) Len() int      { return len(h.slots) }
func (h *tieHeap) Swap(i, j int) { h.slots[i], h.slots[j] = h.slots[j], h.slots[i] }
func (h *tieHeap) Push(x any)    { h.slots = append(h.slots, x.(int)) }

func (h *tieHeap) Pop() any {
	x := h.slots[len(h.slots)-1]
	h.slots = h.slots[:len(h.slots)-1]
	return x
}

func (h *tieHeap) Less(i, j int) bool {
	x, y := h.slots[i], h.slots[j]
	if h.c.at[x] != h.c.at[y] {
		return (h.c.at[x] < h.c.at[y]) != h.last
	}
	if h.aux == nil {
		return false
	}
	return h.aux.less(x, y, h.last)
}
