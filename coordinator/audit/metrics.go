package audit

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a Log counts.
type metrics struct {
	lines   prometheus.Counter
	leftOut prometheus.Counter
	lost    prometheus.Counter
}

// newMetrics registers the metrics; with a nil r they are only counted.
func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: "audit", Name: name, Help: help})
	}
	return &metrics{
		lines:   counter("lines_total", "Events written to the audit log."),
		leftOut: counter("left_out_total", "Failed log-ins and refused requests that were too many to be written to the audit log."),
		lost:    counter("lost_total", "Events that could not be written to the audit log."),
	}
}
