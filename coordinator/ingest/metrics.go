package ingest

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what listeners count: all of them together, or one of them. They
// are by kind (udp, graphite, opentsdb, collectd), address and transport.
type metrics struct {
	bytes         *prometheus.CounterVec
	points        *prometheus.CounterVec
	malformed     *prometheus.CounterVec // and reason
	readFailures  *prometheus.CounterVec
	batches       *prometheus.CounterVec
	written       *prometheus.CounterVec
	failed        *prometheus.CounterVec
	droppedBytes  *prometheus.CounterVec
	droppedPoints *prometheus.CounterVec // and reason
	connected     *prometheus.CounterVec // and protocol
	refused       *prometheus.CounterVec
	open          *prometheus.GaugeVec // and protocol
}

// Reasons why points are dropped and input is not understood.
const (
	reasonInvalid = "invalid" // of the point itself
	reasonRefused = "refused" // by the writer, for what it holds
	reasonFailed  = "failed"  // the writer could not, for too long

	reasonLine   = "line"
	reasonPacket = "packet"
	reasonNaN    = "nan"
	reasonTime   = "time"
	reasonValue  = "value"
	reasonTag    = "tag"
	reasonBody   = "body"
)

// Protocols of connections.
const (
	protocolLines = "graphite"
	protocolPut   = "telnet"
	protocolHTTP  = "http"
)

// newMetrics registers the metrics; with a nil r they are only counted.
func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	by := func(more ...string) []string { return append([]string{"listener", "bind", "transport"}, more...) }
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: "ingest", Name: name, Help: help}, by(more...))
	}
	return &metrics{
		bytes:         counter("received_bytes_total", "Bytes that listeners have received."),
		points:        counter("received_points_total", "Points that listeners have received; of Graphite and telnet, lines."),
		malformed:     counter("malformed_total", "Lines, packets and values that were not understood, by what is wrong with them.", "reason"),
		readFailures:  counter("read_failures_total", "Failures to read from a socket."),
		batches:       counter("written_batches_total", "Batches that were written."),
		written:       counter("written_points_total", "Points of these batches."),
		failed:        counter("failed_batches_total", "Batches that were given up."),
		droppedBytes:  counter("dropped_bytes_total", "Bytes that were not looked at, because too many were waiting."),
		droppedPoints: counter("dropped_points_total", "Points that were not stored, by reason (invalid, refused, failed).", "reason"),
		connected:     counter("connections_total", "Connections that were taken, by what is spoken on them.", "protocol"),
		refused:       counter("refused_connections_total", "Connections that were closed at once, because there were too many."),
		open: f.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "ingest", Name: "connections", Help: "Connections that are open, by what is spoken on them.",
		}, by("protocol")),
	}
}

// of gives the metrics of one listener. Those without a label more are 0 from the
// start, so that a listener that nobody sends to is seen.
func (m *metrics) of(kind, bind, transport string) *metrics {
	at := prometheus.Labels{"listener": kind, "bind": bind, "transport": transport}
	one := func(v *prometheus.CounterVec) *prometheus.CounterVec { return v.MustCurryWith(at) }
	own := &metrics{
		bytes: one(m.bytes), points: one(m.points), malformed: one(m.malformed), readFailures: one(m.readFailures),
		batches: one(m.batches), written: one(m.written), failed: one(m.failed),
		droppedBytes: one(m.droppedBytes), droppedPoints: one(m.droppedPoints),
		connected: one(m.connected), refused: one(m.refused), open: m.open.MustCurryWith(at),
	}
	for _, v := range []*prometheus.CounterVec{
		own.bytes, own.points, own.readFailures, own.batches, own.written, own.failed, own.droppedBytes, own.refused,
	} {
		v.WithLabelValues()
	}
	return own
}
