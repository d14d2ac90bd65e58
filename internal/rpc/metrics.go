package rpc

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// serverMetrics are what a Server counts.
type serverMetrics struct {
	connections prometheus.Gauge
	refused     *prometheus.CounterVec // by reason
	overloaded  prometheus.Counter
	panics      prometheus.Counter
	calls       *prometheus.CounterVec // by method and result
	seconds     *prometheus.CounterVec // by method
	bytes       *prometheus.CounterVec // by method
}

func newServerMetrics(reg prometheus.Registerer) *serverMetrics {
	f := promauto.With(reg)
	return &serverMetrics{
		connections: f.NewGauge(prometheus.GaugeOpts{
			Name: "rpc_server_connections", Help: "Connections of other nodes.",
		}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "rpc_server_refused_total", Help: "Connections and frames that were refused, by reason.",
		}, []string{"reason"}),
		overloaded: f.NewCounter(prometheus.CounterOpts{
			Name: "rpc_server_overloaded_total", Help: "Calls refused because too many bytes were being worked on.",
		}),
		panics: f.NewCounter(prometheus.CounterOpts{
			Name: "rpc_server_panics_total", Help: "Calls that panicked.",
		}),
		calls: f.NewCounterVec(prometheus.CounterOpts{
			Name: "rpc_server_calls_total", Help: "Calls answered, by method and result.",
		}, []string{"method", "result"}),
		seconds: f.NewCounterVec(prometheus.CounterOpts{
			Name: "rpc_server_seconds_total", Help: "Time taken to answer calls, by method.",
		}, []string{"method"}),
		bytes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "rpc_server_request_bytes_total", Help: "Bytes of requests, by method.",
		}, []string{"method"}),
	}
}

// methodMetrics are those of one method, looked up once.
type methodMetrics struct {
	ok, failed, seconds, bytes prometheus.Counter
}

func (m *serverMetrics) method(name string) *methodMetrics {
	return &methodMetrics{
		ok:      m.calls.WithLabelValues(name, "ok"),
		failed:  m.calls.WithLabelValues(name, "error"),
		seconds: m.seconds.WithLabelValues(name),
		bytes:   m.bytes.WithLabelValues(name),
	}
}

func (m *methodMetrics) done(took time.Duration, request int, err error) {
	if err == nil {
		m.ok.Inc()
	} else {
		m.failed.Inc()
	}
	m.seconds.Add(took.Seconds())
	m.bytes.Add(float64(request))
}

// poolMetrics are what a Pool counts.
type poolMetrics struct {
	down    prometheus.Gauge
	calls   *prometheus.CounterVec // by method and result
	seconds *prometheus.CounterVec // by method
	bytes   *prometheus.CounterVec // by method
}

func newPoolMetrics(reg prometheus.Registerer) *poolMetrics {
	f := promauto.With(reg)
	return &poolMetrics{
		down: f.NewGauge(prometheus.GaugeOpts{
			Name: "rpc_client_peers_down", Help: "Addresses in use that do not answer.",
		}),
		calls: f.NewCounterVec(prometheus.CounterOpts{
			Name: "rpc_client_calls_total", Help: "Calls made, by method and result.",
		}, []string{"method", "result"}),
		seconds: f.NewCounterVec(prometheus.CounterOpts{
			Name: "rpc_client_seconds_total", Help: "Time that calls took, by method.",
		}, []string{"method"}),
		bytes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "rpc_client_request_bytes_total", Help: "Bytes of requests sent, by method.",
		}, []string{"method"}),
	}
}

func (m *poolMetrics) done(method string, took time.Duration, request int, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.calls.WithLabelValues(method, result).Inc()
	m.seconds.WithLabelValues(method).Add(took.Seconds())
	m.bytes.WithLabelValues(method).Add(float64(request))
}
