package httpapi

import (
	"sync/atomic"

	"github.com/varvedb/varve/model"
)

// budget bounds the bytes of bodies that are held at a time.
type budget struct {
	limit   int64
	used    atomic.Int64
	metrics *metrics
}

func newBudget(limit int64, m *metrics) *budget { return &budget{limit: limit, metrics: m} }

var errTooMuchInFlight = &model.Error{
	Kind: model.ErrOverloaded,
	Text: "too many bytes of writes are in flight, try again later",
}

// take reserves n bytes, or fails at once with model.ErrOverloaded.
func (b *budget) take(n int64) error {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		b.metrics.refused.WithLabelValues("inflight").Inc()
		return errTooMuchInFlight
	}
	b.metrics.inflight.Add(float64(n))
	return nil
}

// give releases n bytes.
func (b *budget) give(n int64) {
	b.used.Add(-n)
	b.metrics.inflight.Sub(float64(n))
}
