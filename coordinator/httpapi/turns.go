package httpapi

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/varvedb/varve/model"
)

// turns lets a number of writes go on at a time; the others wait, and go on in
// the order in which they came.
type turns struct {
	most     int           // that wait
	patience time.Duration // how long each waits
	late     time.Duration // nobody more is let in to wait once the first has waited so long

	mu      sync.Mutex
	free    int
	waiting list.List // of *waiter, the first came first
}

type waiter struct {
	since time.Time
	turn  chan struct{} // closed when it has its turn
}

var (
	// The texts are InfluxDB's.
	errQueueFull  = &model.Error{Kind: model.ErrOverloaded, Text: "request throttled, queue full"}
	errWaitedLong = &model.Error{Kind: model.ErrOverloaded, Text: "request throttled, exceeds timeout"}
)

// refuses gives the error that one more would get by waiting; nil where it need
// not. It is asked before a body is read: work for who is refused in the end is
// taken from those who are not.
func (t *turns) refuses(now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.waiting.Front()
	switch {
	case t.free > 0 || first == nil:
		return nil
	case t.waiting.Len() >= t.most:
		return errQueueFull
	case now.Sub(first.Value.(*waiter).since) > t.late:
		return errQueueFull
	}
	return nil
}

// take returns when it is the caller's turn; give must follow.
func (t *turns) take(ctx context.Context) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	if t.waiting.Len() >= t.most {
		t.mu.Unlock()
		return errQueueFull
	}
	w := &waiter{since: time.Now(), turn: make(chan struct{})}
	at := t.waiting.PushBack(w)
	t.mu.Unlock()

	timer := time.NewTimer(t.patience)
	defer timer.Stop()
	err := errWaitedLong
	select {
	case <-w.turn:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-w.turn: // just now
		t.giveLocked()
	default:
		t.waiting.Remove(at)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// give ends a turn.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveLocked()
}

func (t *turns) giveLocked() {
	first := t.waiting.Front()
	if first == nil {
		t.free++
		return
	}
	t.waiting.Remove(first)
	close(first.Value.(*waiter).turn)
}
