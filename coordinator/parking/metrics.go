package parking

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a Log counts.
type metrics struct {
	refused prometheus.Counter
	damaged prometheus.Counter
}

// newMetrics registers the metrics of l; with a nil r they are only counted.
func newMetrics(r prometheus.Registerer, l *Log) *metrics {
	f := promauto.With(r)
	gauge := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "parking", Name: name, Help: help}, func() float64 {
			l.mu.Lock()
			defer l.mu.Unlock()
			return value()
		})
	}
	gauge("batches", "Batches that wait for an owner.", func() float64 { return float64(len(l.mu.order)) })
	gauge("bytes", "Bytes of the files.", func() float64 {
		n := int64(0)
		for _, f := range l.mu.files {
			n += f.size
		}
		return float64(n)
	})
	gauge("oldest_seconds", "Age of the oldest batch.", func() float64 {
		if len(l.mu.order) == 0 {
			return 0
		}
		return time.Since(l.mu.pending[l.mu.order[0]].parked).Seconds()
	})
	return &metrics{
		refused: f.NewCounter(prometheus.CounterOpts{Namespace: "parking", Name: "refused_batches_total", Help: "Batches not parked because the log was full."}),
		damaged: f.NewCounter(prometheus.CounterOpts{Namespace: "parking", Name: "damaged_batches_total", Help: "Batches that could not be read any more."}),
	}
}
