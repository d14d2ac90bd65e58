package subscriber

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a Service counts. The vectors are by database, policy,
// subscription and destination, which for a subscription to ANY is "ANY".
type metrics struct {
	batches  prometheus.Counter
	points   *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	failures *prometheus.CounterVec
	dropped  *prometheus.CounterVec // and why
}

var labels = []string{"database", "policy", "subscription", "destination"}

// newMetrics registers the metrics; with a nil r they are only counted.
func newMetrics(r prometheus.Registerer, held func() float64) *metrics {
	f := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: "subscriber", Name: name, Help: help}, labels)
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "subscriber", Name: "queue_bytes", Help: "Bytes of all queues."}, held)
	return &metrics{
		batches:  f.NewCounter(prometheus.CounterOpts{Namespace: "subscriber", Name: "batches_total", Help: "Batches that were given to queues."}),
		points:   counter("points_total", "Points that a destination has taken.", labels...),
		bytes:    counter("bytes_total", "Bytes of these points.", labels...),
		failures: counter("failures_total", "Tries that failed.", labels...),
		dropped:  counter("dropped_points_total", "Points that were not sent, by reason (full, failed, closed).", append(labels[:4:4], "reason")...),
	}
}

// forget removes what is said of a queue.
func (m *metrics) forget(of prometheus.Labels) {
	for _, v := range []*prometheus.CounterVec{m.points, m.bytes, m.failures, m.dropped} {
		v.DeletePartialMatch(of)
	}
}
