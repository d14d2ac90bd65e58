package query

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	active     prometheus.Gauge
	queued     prometheus.Gauge
	aside      prometheus.Gauge
	refused    prometheus.Counter
	timeouts   prometheus.Counter
	statements *prometheus.CounterVec // by outcome
	seconds    prometheus.Histogram
	panics     prometheus.Counter
	partial    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		active:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "query_active", Help: "Requests that are running."}),
		queued:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "query_queued", Help: "Requests that wait for others to end."}),
		aside:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "query_slow_clients", Help: "Requests whose place was given to others because their clients are slow to take the answer."}),
		refused:  prometheus.NewCounter(prometheus.CounterOpts{Name: "query_refused_total", Help: "Requests refused because the queue was full."}),
		timeouts: prometheus.NewCounter(prometheus.CounterOpts{Name: "query_timeouts_total", Help: "Requests ended because they handed out nothing for too long."}),
		statements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "query_statements_total", Help: "Statements that were run.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "query_duration_seconds", Help: "Time from start to end of a request, sending the answer included.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10),
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "query_panics_total", Help: "Statements that ended in a panic."}),
	}
	m.partial = prometheus.NewCounter(prometheus.CounterOpts{Name: "query_partial_total", Help: "Statements answered without all data, as the request allowed."})
	if reg != nil {
		reg.MustRegister(m.active, m.queued, m.aside, m.refused, m.timeouts, m.statements, m.seconds, m.panics, m.partial)
	}
	return m
}
