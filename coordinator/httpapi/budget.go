package httpapi

import (
	"sync/atomic"

	"github.com/varvedb/varve/model"
)

// budget bounds the bytes of bodies that are held at a time.
type budget struct {
	limit   int64
	used    atomic.Int64
	memory  Memory
	metrics *metrics
}

func newBudget(limit int64, memory Memory, m *metrics) *budget {
	if memory == nil {
		memory = enough{}
	}
	return &budget{limit: limit, memory: memory, metrics: m}
}

// Memory says whether the server has memory for more. The errors are of kind
// model.ErrOverloaded.
type Memory interface {
	Writes() error
	Queries() error
	// Behind reports whether rows written now would be refused, and not in a moment:
	// those before them are being flushed.
	Behind() bool
}

// enough is a Memory that is never used up.
type enough struct{}

func (enough) Writes() error  { return nil }
func (enough) Queries() error { return nil }
func (enough) Behind() bool   { return false }

var errTooMuchInFlight = &model.Error{
	Kind: model.ErrOverloaded,
	Text: "too many bytes of requests are in flight, try again later",
}

// take reserves n bytes, or fails at once with model.ErrOverloaded.
func (b *budget) take(n int64) error {
	if err := b.memory.Writes(); err != nil {
		b.metrics.refused.WithLabelValues("memory").Inc()
		return err
	}
	return b.reserve(n)
}

// reserve reserves n bytes also where there is no memory for writes.
func (b *budget) reserve(n int64) error {
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
