package wal

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts what all logs of a node do.
type Metrics struct {
	Appends       prometheus.Counter
	AppendBytes   prometheus.Counter
	Refused       *prometheus.CounterVec // by reason: full, read_only, too_large, need_keys
	Syncs         prometheus.Counter
	SyncFailures  prometheus.Counter
	SyncSeconds   prometheus.Histogram
	FilesCreated  prometheus.Counter
	FilesTrimmed  prometheus.Counter
	ReplayBatches prometheus.Counter
	ReplaySkipped prometheus.Counter
	ReplayBytes   prometheus.Counter
	TornBytes     prometheus.Counter
	Corruptions   prometheus.Counter
}

// NewMetrics makes the metrics and registers them; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: "tsm", Subsystem: "wal", Name: name, Help: help})
	}
	return &Metrics{
		Appends:     counter("appends_total", "Batches appended to logs."),
		AppendBytes: counter("append_bytes_total", "Bytes appended to logs."),
		Refused: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: "tsm", Subsystem: "wal", Name: "refused_total", Help: "Batches that a log did not take, by reason.",
		}, []string{"reason"}),
		Syncs:        counter("syncs_total", "Syncs of log files; one may cover many batches."),
		SyncFailures: counter("sync_failures_total", "Syncs of log files that failed. Each leaves a log that takes nothing more."),
		SyncSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: "tsm", Subsystem: "wal", Name: "sync_seconds", Help: "How long syncs of log files took.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		}),
		FilesCreated:  counter("files_created_total", "Log files created."),
		FilesTrimmed:  counter("files_trimmed_total", "Log files removed because their batches are in segments."),
		ReplayBatches: counter("replay_batches_total", "Batches read back from logs at start."),
		ReplaySkipped: counter("replay_skipped_total", "Batches of logs that files had already at start."),
		ReplayBytes:   counter("replay_bytes_total", "Bytes read back from logs at start."),
		TornBytes:     counter("torn_bytes_total", "Bytes cut off the ends of logs at start: writes that a crash interrupted."),
		Corruptions:   counter("corruptions_total", "Logs refused at start because acknowledged data in them is damaged."),
	}
}
