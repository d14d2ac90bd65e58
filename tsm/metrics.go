package tsm

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/varvedb/varve/tsm/wal"
)

// Metrics counts what all shards of a node do.
type Metrics struct {
	Log *wal.Metrics

	Rows              prometheus.Counter
	Deletes           prometheus.Counter
	Duplicates        prometheus.Counter
	Refused           *prometheus.CounterVec // by reason: overloaded, full, stale
	Flushes           prometheus.Counter
	FlushBytes        prometheus.Counter
	Compactions       prometheus.Counter
	CompactionBytes   prometheus.Counter
	RewriteSeconds    *prometheus.HistogramVec // by kind: flush, compaction
	BackgroundErrors  prometheus.Counter
	QuarantinedFiles  prometheus.Counter
	ManifestsReplaced prometheus.Counter
}

// NewMetrics makes the metrics and registers them; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: "tsm", Name: name, Help: help})
	}
	return &Metrics{
		Log:        wal.NewMetrics(reg),
		Rows:       counter("rows_total", "Rows acknowledged."),
		Deletes:    counter("deletes_total", "Deletes acknowledged."),
		Duplicates: counter("duplicates_total", "Batches that a shard held already."),
		Refused: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: "tsm", Name: "refused_total", Help: "Batches that a shard did not take, by reason.",
		}, []string{"reason"}),
		Flushes:         counter("flushes_total", "Memtables written to segment files."),
		FlushBytes:      counter("flush_bytes_total", "Bytes of segment files written by flushes."),
		Compactions:     counter("compactions_total", "Merges of segment files."),
		CompactionBytes: counter("compaction_bytes_total", "Bytes of segment files written by compactions."),
		RewriteSeconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "tsm", Name: "rewrite_seconds", Help: "How long writing a segment file took, by kind.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}, []string{"kind"}),
		BackgroundErrors:  counter("background_errors_total", "Flushes and compactions that failed and will be tried again."),
		QuarantinedFiles:  counter("quarantined_files_total", "Segment files found damaged."),
		ManifestsReplaced: counter("manifests_replaced_total", "Manifests replaced by a shorter one."),
	}
}
