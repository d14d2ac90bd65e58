package subscriber

import (
	"context"
	"sync/atomic"
	"testing"
)

func TestQueueGivesNothingAfterItsTaker(t *testing.T) {
	var total atomic.Int64
	q := newQueue(1<<20, &total, 1<<20)
	q.add(&payload{text: make([]byte, 10)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if some := q.take(ctx); len(some) > 0 {
		t.Errorf("it gave %d payloads", len(some))
	}
}

func TestQueueForgetsWhatWasTaken(t *testing.T) {
	var total atomic.Int64
	q := newQueue(1<<20, &total, 1<<20)
	for range 3 {
		q.add(&payload{text: make([]byte, maxPayload/4)})
	}
	held := q.list
	q.free(q.take(t.Context()))
	for i, p := range held {
		if p != nil {
			t.Errorf("payload %d of those that were taken is still held", i)
		}
	}
}
