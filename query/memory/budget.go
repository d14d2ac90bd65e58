package memory

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/varvedb/varve/model"
)

// step is what a Budget takes from its Pool at a time, so that queries that hold
// little meet at the pool once each.
const step = 1 << 20

// Budget is the memory that one query may hold at one node. A nil Budget has no
// bound. It is safe for concurrent use.
type Budget struct {
	pools []*Pool
	limit int64
	used  atomic.Int64

	mu      sync.Mutex // protects all below
	granted int64      // by each of the pools
	peak    int64      // the most that was used
	closed  bool
}

// Budget gives a query its budget: at most limit bytes, 0 for no bound but those
// of the pools, of which it draws on p and all others. Close must follow.
func (p *Pool) Budget(limit int64, others ...*Pool) *Budget {
	return &Budget{pools: append([]*Pool{p}, others...), limit: limit}
}

// Used gives the bytes that are held.
func (b *Budget) Used() int64 { return b.used.Load() }

// Peak gives the most bytes that were held at a time.
func (b *Budget) Peak() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peak
}

// Take counts n bytes, or fails: with model.ErrTooLarge above the query's own
// limit, with model.ErrOverloaded when all queries of a pool hold too much.
func (b *Budget) Take(n int64) error {
	if b == nil {
		return nil
	}
	used := b.used.Add(n)
	if b.limit > 0 && used > b.limit {
		b.used.Add(-n)
		return &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("max-select-memory limit exceeded: (%d/%d)", used, b.limit)}
	}
	if err := b.cover(used); err != nil {
		b.used.Add(-n)
		return err
	}
	return nil
}

// cover makes sure that the pools have granted what is used.
func (b *Budget) cover(used int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peak = max(b.peak, used)
	if used <= b.granted || b.closed {
		return nil
	}
	more := (used - b.granted + step - 1) / step * step
	for i, p := range b.pools {
		if err := p.take(more); err != nil {
			give(b.pools[:i], more)
			return err
		}
	}
	b.granted += more
	return nil
}

// Give counts n bytes less. What the query gives back it may need again, so half
// of what was granted stays with it.
func (b *Budget) Give(n int64) {
	if b == nil || n == 0 {
		return
	}
	b.used.Add(-n)
	b.mu.Lock()
	defer b.mu.Unlock()
	used := b.used.Load()
	if b.closed || b.granted <= 4*step || used > b.granted/2 {
		return
	}
	back := (b.granted - max(used, 0)) / 2 / step * step
	b.granted -= back
	give(b.pools, back)
}

// Close gives everything back to the pools. What is still counted then, counts
// no more.
func (b *Budget) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	give(b.pools, b.granted)
	b.granted = 0
}

type key struct{}

// NewContext gives a context whose work is counted by b.
func NewContext(ctx context.Context, b *Budget) context.Context {
	return context.WithValue(ctx, key{}, b)
}

// FromContext gives the budget of a context, or nil.
func FromContext(ctx context.Context) *Budget {
	b, _ := ctx.Value(key{}).(*Budget)
	return b
}

// Bounded gives the budget of a context, or where it has none one of limit bytes
// and the context with it.
func Bounded(ctx context.Context, limit int64) (context.Context, *Budget) {
	if b := FromContext(ctx); b != nil {
		return ctx, b
	}
	b := (*Pool)(nil).Budget(limit)
	return NewContext(ctx, b), b
}
