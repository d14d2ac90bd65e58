package coordinator

import "sync"

// budgets bounds, for each node, the bytes of the batches that it has been sent
// and not answered: a slow owner must not fill the memory.
type budgets struct {
	limit int64

	mu    sync.Mutex
	bytes map[uint64]int64 // by node
}

// take reports whether a batch may be sent. One batch always may: a larger one
// than the budget would never be. So may one that counts no bytes.
func (b *budgets) take(node uint64, bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held := b.bytes[node]; held > 0 && bytes > 0 && held+bytes > b.limit {
		return false
	}
	if b.bytes == nil {
		b.bytes = make(map[uint64]int64)
	}
	b.bytes[node] += bytes
	return true
}

func (b *budgets) give(node uint64, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes[node] -= bytes; b.bytes[node] == 0 {
		delete(b.bytes, node)
	}
}
