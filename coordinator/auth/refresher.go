package auth

import (
	"context"
	"sync"
	"time"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// refreshEvery is the least time between two readings. Wrong credentials, of which
// anybody can send many, so cost etcd no more than a hundred readings a second.
const refreshEvery = 10 * time.Millisecond

// refresher has the metadata read anew. Those who ask while a reading runs share the
// next one.
type refresher struct {
	store *meta.Store
	turn  chan struct{} // held by who reads

	mu   sync.Mutex
	next *refresh // joined by those who ask now; nil: nobody waits
}

// refresh is one reading.
type refresh struct {
	done      chan struct{} // closed when it has ended, by who reads
	err       error
	abandoned bool // who was to read went away
}

func newRefresher(store *meta.Store) *refresher {
	return &refresher{store: store, turn: make(chan struct{}, 1)}
}

// wait returns when the snapshot includes every change that was made before the
// call. Its error is of kind model.ErrUnavailable, or that of ctx.
func (r *refresher) wait(ctx context.Context) error {
	for {
		if r.store.Away() {
			return errAway // in place of the same after a time-out
		}
		joined := r.join()
		select {
		case r.turn <- struct{}{}:
			r.read(ctx)
			<-r.turn
		case <-joined.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		// It was made now, or by who had the turn before.
		switch <-joined.done; {
		case !joined.abandoned:
			return joined.err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
}

var errAway = &model.Error{Kind: model.ErrUnavailable, Text: "metadata store unavailable"}

func (r *refresher) join() *refresh {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = &refresh{done: make(chan struct{})}
	}
	return r.next
}

// read makes the next reading, if anybody waits for one.
func (r *refresher) read(ctx context.Context) {
	r.mu.Lock()
	now := r.next
	r.next = nil // who comes from here on may be about a later change
	r.mu.Unlock()
	if now == nil {
		return
	}
	now.err = r.store.Refresh(ctx)
	now.abandoned = ctx.Err() != nil
	close(now.done)
	if !now.abandoned {
		_ = pace.Sleep(ctx, refreshEvery) // the next one begins
	}
}
