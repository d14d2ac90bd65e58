package exec

import (
	"container/heap"
	"context"
	"slices"
	"strings"

	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// bestStage is top() and bottom(): the n best points of each window, or with
// keys those of the best points that each combination of the keys' values has.
//
// The n points are chosen with the heap that InfluxDB uses, so that of points
// with equal values and times the same ones remain. What the one shard of a
// window has selected stays as it is.
type bestStage struct {
	stage      *plan.Stage
	descending bool
	selected   bool  // by one shard for each time, if this did not have more than N points
	order      cells // how values compare
	window     passage
	rows       keptRows
	heap       []int          // of rows, the worst first
	byKey      map[string]int // the best row of each combination; nil without keys
	keyBytes   int            // of byKey, that are counted
	seen       int            // points of the window
	key        []byte
}

// bestKeyBytes is what a combination of keys takes beside its texts.
const bestKeyBytes = 64

func newBestStage(ctx context.Context, window *plan.Window, descending bool, s *plan.Stage, held *budget) *bestStage {
	b := &bestStage{stage: s, descending: descending, window: passage{window: window}, rows: keptRows{ctx: ctx, held: held}}
	b.order.t = s.Type
	if s.Keys != nil {
		b.byKey = map[string]int{}
	}
	return b
}

func (b *bestStage) add(in, out *points) error {
	for i, at := range in.times {
		if !in.value.Has(i) {
			continue
		}
		if b.window.left(at) {
			if err := b.end(out); err != nil {
				return err
			}
		}
		b.window.enter(at)
		b.seen++
		if b.byKey != nil {
			if err := b.addToKey(in, i); err != nil {
				return err
			}
		} else if b.wants(in, i) {
			b.push(b.rows.append(in, i))
		}
		if i%rowsBetweenCounts == 0 {
			if err := b.count(); err != nil {
				return err
			}
		}
	}
	return b.count()
}

// rowsBetweenCounts is how many rows stages take between looking at their memory.
const rowsBetweenCounts = 64

// count counts the state, after dropping rows that are no longer needed where
// they are the most.
func (b *bestStage) count() error {
	if len(b.rows.times) > 2*(len(b.heap)+len(b.byKey))+rowsBetweenCounts {
		b.compact()
	}
	return b.rows.count()
}

func (b *bestStage) compact() {
	if b.byKey == nil {
		b.rows.compact(b.heap)
		for i := range b.heap {
			b.heap[i] = i
		}
		return
	}
	rows := make([]int, 0, len(b.byKey))
	for key, row := range b.byKey {
		b.byKey[key] = len(rows)
		rows = append(rows, row)
	}
	b.rows.compact(rows)
}

// wants reports whether a point is better than the worst one so far.
func (b *bestStage) wants(in *points, i int) bool {
	if len(b.heap) < b.stage.N {
		return true
	}
	w := b.heap[0]
	return b.worse(b.rows.value.Bits[w], in.value.Bits[i], b.rows.times[w], in.times[i])
}

// worse reports whether value x at time s is worse than value y at t: of equal
// ones the later is, also in descending order.
func (b *bestStage) worse(x, y uint64, s, t int64) bool {
	c := b.order.order(x, y)
	if b.stage.Function == function.Bottom {
		c = -c
	}
	return c < 0 || c == 0 && s > t
}

// push takes a row that was kept because it is wanted.
func (b *bestStage) push(row int) {
	if len(b.heap) < b.stage.N {
		heap.Push(b, row)
		return
	}
	b.heap[0] = row
	heap.Fix(b, 0)
}

// addToKey keeps the point if it is the best one of its combination of keys.
func (b *bestStage) addToKey(in *points, i int) error {
	b.key = b.key[:0]
	for _, c := range b.stage.Keys {
		if c := &in.aux[c]; c.Has(i) {
			b.key = append(b.key, c.Bytes(i)...)
		}
		b.key = append(b.key, 0)
	}
	old, ok := b.byKey[string(b.key)]
	if ok && !b.worse(b.rows.value.Bits[old], in.value.Bits[i], b.rows.times[old], in.times[i]) {
		return nil
	}
	if !ok {
		b.keyBytes += len(b.key) + bestKeyBytes
		if err := b.rows.held.take(len(b.key) + bestKeyBytes); err != nil {
			return err
		}
	}
	b.byKey[string(b.key)] = b.rows.append(in, i)
	return nil
}

// end hands out the points of a window.
func (b *bestStage) end(out *points) error {
	switch {
	case b.selected && b.seen <= b.stage.N && b.seen == len(b.heap)+len(b.byKey):
		b.heap = b.heap[:0]
		for i := range b.seen {
			b.heap = append(b.heap, i)
		}
	default:
		if err := b.pushKeys(); err != nil {
			return err
		}
		order := stoppable{ctx: b.rows.ctx, n: len(b.heap), less: func(i, j int) bool { return b.Less(j, i) }, swap: b.Swap}
		if err := order.sort(); err != nil {
			return err
		}
	}
	clear(b.byKey)
	b.rows.held.give(b.keyBytes)
	b.keyBytes = 0
	if err := b.rows.sortByTime(b.heap, b.descending); err != nil {
		return err
	}
	for _, i := range b.heap {
		out.appendRow(&b.rows.points, i, b.rows.times[i])
	}
	b.rows.reset()
	b.heap, b.seen = b.heap[:0], 0
	return b.rows.count()
}

// pushKeys puts the best point of each combination, if there are keys, into the
// heap, in order of time and then of the keys.
func (b *bestStage) pushKeys() error {
	keys := make([]string, 0, len(b.byKey))
	for key := range b.byKey {
		keys = append(keys, key)
	}
	if err := sortValues(b.rows.ctx, keys, strings.Compare); err != nil {
		return err
	}
	if b.descending {
		slices.Reverse(keys)
	}
	rows := make([]int, len(keys))
	for i, key := range keys {
		rows[i] = b.byKey[key]
	}
	if err := b.rows.sortByTime(rows, b.descending); err != nil {
		return err
	}
	for _, row := range rows {
		if b.wants(&b.rows.points, row) {
			b.push(row)
		}
	}
	return nil
}

// The heap's and the order's methods.

func (b *bestStage) Len() int      { return len(b.heap) }
func (b *bestStage) Swap(i, j int) { b.heap[i], b.heap[j] = b.heap[j], b.heap[i] }
func (b *bestStage) Push(row any)  { b.heap = append(b.heap, row.(int)) }
func (b *bestStage) Pop() any      { panic("bestStage: nothing is popped") }

func (b *bestStage) Less(i, j int) bool {
	x, y, v := b.heap[i], b.heap[j], b.rows.value.Bits
	return b.worse(v[x], v[y], b.rows.times[x], b.rows.times[y])
}
