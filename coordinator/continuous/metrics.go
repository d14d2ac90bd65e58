package continuous

import "github.com/prometheus/client_golang/prometheus"

// metrics is what a Runner counts. What is said of one query is said by the
// node that runs it.
type metrics struct {
	leading  prometheus.Gauge
	running  prometheus.Gauge
	seconds  prometheus.Histogram
	failures prometheus.Counter

	runs   *prometheus.CounterVec // by database, query and outcome
	points *prometheus.CounterVec // by database and query
	last   *prometheus.GaugeVec   // the same
	lag    *prometheus.GaugeVec   // the same
}

// newMetrics makes the metrics and registers them when reg is not nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	of := []string{"database", "query"}
	m := &metrics{
		leading:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "continuous_leading", Help: "1 while this node runs the continuous queries of the cluster."}),
		running:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "continuous_running", Help: "Continuous queries that are running."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "continuous_unsaved_total", Help: "Times that it could not be kept how far queries have come; it is tried again."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "continuous_run_seconds", Help: "How long runs of continuous queries took.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}),
		runs:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "continuous_runs_total", Help: "Runs of a continuous query, by outcome (ok, error)."}, append(of[:2:2], "outcome")),
		points: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "continuous_points_total", Help: "Points written by a continuous query."}, of),
		last:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "continuous_last_run_timestamp_seconds", Help: "When a continuous query ran last."}, of),
		lag:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "continuous_lag_seconds", Help: "For how long a continuous query has been due. 0 when all is done."}, of),
	}
	if reg != nil {
		reg.MustRegister(m.leading, m.running, m.seconds, m.failures, m.runs, m.points, m.last, m.lag)
	}
	return m
}

// rest forgets what only the runner knows.
func (m *metrics) rest() {
	m.leading.Set(0)
	m.running.Set(0)
	m.last.Reset()
	m.lag.Reset()
}

// forget removes what is said of a query.
func (m *metrics) forget(j *job) {
	of := prometheus.Labels{"database": j.database, "query": j.query.Name}
	m.runs.DeletePartialMatch(of)
	m.points.Delete(of)
	m.last.Delete(of)
	m.lag.Delete(of)
}
