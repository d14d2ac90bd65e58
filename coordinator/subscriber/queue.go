package subscriber

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// queue is payloads on their way to a destination, in order.
type queue struct {
	limit int64         // bytes
	total *atomic.Int64 // bytes of all queues
	most  int64         // of total
	ready chan struct{} // holds one when there may be something to take

	mu     sync.Mutex // protects what is below
	list   []*payload
	bytes  int64
	closed bool
}

func newQueue(limit int64, total *atomic.Int64, most int64) *queue {
	return &queue{limit: limit, total: total, most: most, ready: make(chan struct{}, 1)}
}

// add puts a payload in if there is room.
func (q *queue) add(p *payload) bool {
	n := p.bytes()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.bytes+n > q.limit {
		return false
	}
	if q.total.Add(n) > q.most {
		q.total.Add(-n)
		return false
	}
	q.bytes += n
	q.list = append(q.list, p)
	q.wakeLocked()
	return true
}

func (q *queue) wakeLocked() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take waits for payloads and gives those that fit into one request. They count
// until they are freed. It gives none when the queue is closed and empty, or ctx
// has ended.
func (q *queue) take(ctx context.Context) []*payload {
	for ctx.Err() == nil {
		q.mu.Lock()
		n, size := 0, 0
		for n < len(q.list) && (n == 0 || size+len(q.list[n].text) <= maxPayload) {
			size += len(q.list[n].text)
			n++
		}
		// What is taken must not stay in memory behind what is added later.
		some, closed := slices.Clone(q.list[:n]), q.closed
		q.list = slices.Delete(q.list, 0, n)
		q.mu.Unlock()
		if n > 0 || closed {
			return some
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
		}
	}
	return nil
}

// free gives back the room of payloads that were taken.
func (q *queue) free(some []*payload) {
	n := int64(0)
	for _, p := range some {
		n += p.bytes()
	}
	q.mu.Lock()
	q.bytes -= n
	q.mu.Unlock()
	q.total.Add(-n)
}

// close lets nothing in any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wakeLocked()
}

// clear drops what is left of a closed queue and gives the number of points.
func (q *queue) clear() (points int) {
	q.mu.Lock()
	left := q.list
	q.list = nil
	q.mu.Unlock()
	q.free(left)
	for _, p := range left {
		points += p.points()
	}
	return points
}
