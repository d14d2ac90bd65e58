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
	metrics *metrics
}

func newAdmission(concurrent, queue int, m *metrics) *admission {
	return &admission{slots: make(chan struct{}, concurrent), queue: int64(queue), metrics: m}
}

// enter returns when the request may run; leave must follow. With a full queue
// it fails at once.
func (a *admission) enter(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	default:
	}
	if a.waiting.Add(1) > a.queue {
		a.waiting.Add(-1)
		a.metrics.refused.Inc()
		return &model.Error{Kind: model.ErrOverloaded, Text: "too many queries are running and waiting"}
	}
	a.metrics.queued.Inc()
	defer func() {
		a.waiting.Add(-1)
		a.metrics.queued.Dec()
	}()
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *admission) leave() { <-a.slots }
