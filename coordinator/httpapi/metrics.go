package httpapi

import (
	"errors"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/model"
)

type metrics struct {
	requests    *prometheus.CounterVec   // by path and status
	seconds     *prometheus.HistogramVec // by path
	active      *prometheus.GaugeVec     // by path
	answered    *prometheus.CounterVec   // by path
	refused     *prometheus.CounterVec   // by reason
	connections prometheus.Gauge
	inflight    prometheus.Gauge
	received    prometheus.Counter
	lines       prometheus.Counter
	dropped     prometheus.Counter
	reasons     *prometheus.CounterVec // by reason
	points      prometheus.Counter
	values      prometheus.Counter
	failed      prometheus.Counter
	panics      prometheus.Counter
	unlogged    prometheus.Counter
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
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "http_requests_active", Help: "Requests that are being answered.",
		}, []string{"path"}),
		answered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_answer_bytes_total", Help: "Bytes of the bodies of answers, as they were sent.",
		}, []string{"path"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_refused_total", Help: "Requests refused because of their size or the server's load.",
		}, []string{"reason"}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_connections", Help: "Connections that are open."}),
		inflight:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_inflight_bytes", Help: "Bodies of writes that are being read and stored."}),
		received:    prometheus.NewCounter(prometheus.CounterOpts{Name: "http_write_bytes_total", Help: "Line protocol received, after decompression."}),
		lines:       prometheus.NewCounter(prometheus.CounterOpts{Name: "http_write_lines_total", Help: "Lines of line protocol received."}),
		dropped:     prometheus.NewCounter(prometheus.CounterOpts{Name: "http_write_dropped_total", Help: "Lines and points refused for their content."}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_write_refused_total", Help: "Lines and points that were not stored, by the reason.",
		}, []string{"reason"}),
		points:   prometheus.NewCounter(prometheus.CounterOpts{Name: "http_write_points_total", Help: "Points stored."}),
		values:   prometheus.NewCounter(prometheus.CounterOpts{Name: "http_write_values_total", Help: "Values of points stored, of writes all of whose points were."}),
		failed:   prometheus.NewCounter(prometheus.CounterOpts{Name: "http_write_failed_points_total", Help: "Points of writes that failed as a whole; they may have been stored in part."}),
		unlogged: prometheus.NewCounter(prometheus.CounterOpts{Name: "http_access_log_dropped_total", Help: "Lines of the access log that were dropped, since it did not take them fast enough."}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Name: "http_panics_total", Help: "Requests that ended in a panic."}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "varve_build_info",
		Help:        "What runs here; always 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	reg.MustRegister(m.requests, m.seconds, m.active, m.answered, m.refused, m.connections, m.inflight, m.received, m.lines, m.dropped, m.reasons, m.points, m.values, m.failed, m.panics, m.unlogged, build)
	return m
}

// wrote counts the points of a write and their values by how it ended.
func (m *metrics) wrote(points, values int, err error) {
	var partial *coordinator.PartialWriteError
	switch {
	case err == nil:
		m.points.Add(float64(points))
		m.values.Add(float64(values))
	case errors.As(err, &partial):
		m.points.Add(float64(max(0, points-partial.Dropped)))
	default:
		m.failed.Add(float64(points))
	}
}

// valuesOf gives the number of values in a batch.
func valuesOf(b *model.Batch) (n int) {
	for i := range b.Tables {
		for k := range b.Tables[i].Columns {
			n += b.Tables[i].Columns[k].Count()
		}
	}
	return n
}

// refuse counts lines and points that were not stored.
func (m *metrics) refuse(reason string, n int) {
	if n > 0 {
		m.dropped.Add(float64(n))
		m.reasons.WithLabelValues(reason).Add(float64(n))
	}
}
