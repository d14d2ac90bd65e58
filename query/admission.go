package query

import (
	"context"
	"sync/atomic"

	"github.com/varvedb/varve/model"
)

// admission lets a number of requests run and a number of others wait, in no
// particular order.
type admission struct {
	slots   chan struct{} // holds one element for each request that runs
	waiting atomic.Int64
	queue   int64
	aside   atomic.Int64 // requests that run without a slot
	metrics *metrics
}

// maxAside bounds the requests that run without a slot because their clients are
// slow: each has a goroutine, a buffer and what its state takes of the pool.
const maxAside = 128

func newAdmission(concurrent, queue int, m *metrics) *admission {
	return &admission{slots: make(chan struct{}, concurrent), queue: int64(queue), metrics: m}
}

// enter returns when the request may run; leave must follow. With a full queue
// it fails at once.
func (a *admission) enter(ctx context.Context) (*slot, error) {
	select {
	case a.slots <- struct{}{}:
		return &slot{admission: a}, nil
	default:
	}
	if a.waiting.Add(1) > a.queue {
		a.waiting.Add(-1)
		a.metrics.refused.Inc()
		return nil, &model.Error{Kind: model.ErrOverloaded, Text: "too many queries are running and waiting, try again later"}
	}
	a.metrics.queued.Inc()
	defer func() {
		a.waiting.Add(-1)
		a.metrics.queued.Dec()
	}()
	select {
	case a.slots <- struct{}{}:
		return &slot{admission: a}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// slot is the right of one request to run. A nil slot is that of a request that
// waits for nobody.
type slot struct {
	admission *admission
	state     atomic.Int32
}

// The states of a slot.
const (
	slotHeld  = iota
	slotAside // others have it, the request runs on
	slotLeft
)

// stepAside lets another request run while this one waits for its client.
func (s *slot) stepAside() {
	if s == nil || s.admission.aside.Load() >= maxAside || !s.state.CompareAndSwap(slotHeld, slotAside) {
		return
	}
	s.admission.aside.Add(1)
	s.admission.metrics.aside.Inc()
	<-s.admission.slots
}

// leave says that the request has ended.
func (s *slot) leave() {
	if s == nil {
		return
	}
	switch s.state.Swap(slotLeft) {
	case slotHeld:
		<-s.admission.slots
	case slotAside:
		s.admission.aside.Add(-1)
		s.admission.metrics.aside.Dec()
	}
}
