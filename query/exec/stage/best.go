package stage

import (
	"container/heap"
	"context"
	"slices"
	"strings"

	"github.com/varvedb/varve/internal/sorting"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// best is top() and bottom(): the n best points of each window, or with
// keys those of the best points that each combination of the keys' values has.
//
// The n points are chosen with the heap that InfluxDB uses, so that of points
// with equal values and times the same ones remain. What the one shard of a
// window has selected stays as it is.
type best struct {
	stage      *plan.Stage
	descending bool
	selected   bool // by one shard for each time, if this did not have more than N points
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

// NewBest makes top() or bottom() for the rows of a shard, which hands out what
// it selects.
func NewBest(ctx context.Context, window *plan.Window, descending bool, s *plan.Stage, held *Budget) Stage {
	return newBest(ctx, window, descending, s, held)
}

func newBest(ctx context.Context, window *plan.Window, descending bool, s *plan.Stage, held *Budget) *best {
	b := &best{stage: s, descending: descending, window: passage{window: window}, rows: keptRows{ctx: ctx, held: held}}
	if s.Keys != nil {
		b.byKey = map[string]int{}
	}
	return b
}

func (b *best) Add(in, out *Points) error {
	for i, at := range in.Times {
		if !in.Value.Has(i) {
			continue
		}
		if b.window.left(at) {
			if err := b.End(out); err != nil {
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
func (b *best) count() error {
	if len(b.rows.Times) > 2*(len(b.heap)+len(b.byKey))+rowsBetweenCounts {
		b.compact()
	}
	return b.rows.count()
}

func (b *best) compact() {
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
func (b *best) wants(in *Points, i int) bool {
	if len(b.heap) < b.stage.N {
		return true
	}
	w := b.heap[0]
	return b.worse(b.rows.Value.Bits[w], in.Value.Bits[i], b.rows.Times[w], in.Times[i])
}

// worse reports whether value x at time s is worse than value y at t: of equal
// ones the later is, also in descending order.
func (b *best) worse(x, y uint64, s, t int64) bool {
	c := function.Order(b.stage.Type, x, y)
	if b.stage.Function == function.Bottom {
		c = -c
	}
	return c < 0 || c == 0 && s > t
}

// push takes a row that was kept because it is wanted.
func (b *best) push(row int) {
	if len(b.heap) < b.stage.N {
		heap.Push(b, row)
		return
	}
	b.heap[0] = row
	heap.Fix(b, 0)
}

// addToKey keeps the point if it is the best one of its combination of keys.
func (b *best) addToKey(in *Points, i int) error {
	b.key = b.key[:0]
	for _, c := range b.stage.Keys {
		if c := &in.Aux[c]; c.Has(i) {
			b.key = append(b.key, c.Bytes(i)...)
		}
		b.key = append(b.key, 0)
	}
	old, ok := b.byKey[string(b.key)]
	if ok && !b.worse(b.rows.Value.Bits[old], in.Value.Bits[i], b.rows.Times[old], in.Times[i]) {
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

// End hands out the points of a window.
func (b *best) End(out *Points) error {
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
		if err := sorting.Elements(b.rows.ctx, len(b.heap), func(i, j int) bool { return b.Less(j, i) }, b.Swap); err != nil {
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
		out.AppendRow(&b.rows.Points, i, b.rows.Times[i])
	}
	b.rows.Reset()
	b.heap, b.seen = b.heap[:0], 0
	return b.rows.count()
}

// pushKeys puts the best point of each combination, if there are keys, into the
// heap, in order of time and then of the keys.
func (b *best) pushKeys() error {
	keys := make([]string, 0, len(b.byKey))
	for key := range b.byKey {
		keys = append(keys, key)
	}
	if err := sorting.Values(b.rows.ctx, keys, strings.Compare); err != nil {
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
		if b.wants(&b.rows.Points, row) {
			b.push(row)
		}
	}
	return nil
}

// The heap's and the order's methods.

func (b *best) Len() int      { return len(b.heap) }
func (b *best) Swap(i, j int) { b.heap[i], b.heap[j] = b.heap[j], b.heap[i] }
func (b *best) Push(row any)  { b.heap = append(b.heap, row.(int)) }
func (b *best) Pop() any      { panic("best: nothing is popped") }

func (b *best) Less(i, j int) bool {
	x, y, v := b.heap[i], b.heap[j], b.rows.Value.Bits
	return b.worse(v[x], v[y], b.rows.Times[x], b.rows.Times[y])
}
