package httpapi

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec   // by path and status
	seconds  *prometheus.HistogramVec // by path
	refused  *prometheus.CounterVec   // by reason
	inflight prometheus.Gauge
	received prometheus.Counter
	lines    prometheus.Counter
	dropped  prometheus.Counter
	reasons  *prometheus.CounterVec // by reason
	panics   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, version string) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "Requests that were answered.",
		}, []string{"path", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Time from the header of a request to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10),
		}, []string{"path"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_refused_total", Help: "Requests refused because of their size or the server's load.",
		}, []string{"reason"}),
		inflight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_inflight_bytes", Help: "Bodies of writes that are being read and stored."}),
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: "http_write_bytes_total", Help: "Line protocol received, after decompression."}),
		lines:    prometheus.NewCounter(prometheus.CounterOpts{Name: "http_write_lines_total", Help: "Lines of line protocol received."}),
		dropped:  prometheus.NewCounter(prometheus.CounterOpts{Name: "http_write_dropped_total", Help: "Lines and points refused for their content."}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_write_refused_total", Help: "Lines and points that were not stored, by the reason.",
		}, []string{"reason"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "http_panics_total", Help: "Requests that ended in a panic."}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "varve_build_info",
		Help:        "What runs here; always 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	reg.MustRegister(m.requests, m.seconds, m.refused, m.inflight, m.received, m.lines, m.dropped, m.reasons, m.panics, build)
	return m
}

// refuse counts lines and points that were not stored.
func (m *metrics) refuse(reason string, n int) {
	if n > 0 {
		m.dropped.Add(float64(n))
		m.reasons.WithLabelValues(reason).Add(float64(n))
	}
}
