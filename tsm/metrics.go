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
	Refused           *prometheus.CounterVec // by reason: overloaded, backlog, full, stale
	SlowedBatches     prometheus.Counter
	ManifestsReplaced prometheus.Counter

	// What was written for what was taken: Log.AppendBytes, FlushBytes and
	// CompactionBytes together are the write amplification.
	Packs               prometheus.Counter
	Flushes             prometheus.Counter
	FlushBytes          prometheus.Counter
	Compactions         *prometheus.CounterVec // by kind of work
	CompactionReadBytes prometheus.Counter
	CompactionBytes     prometheus.Counter
	CopiedRows          prometheus.Counter
	RewriteSeconds      *prometheus.HistogramVec // by kind of work
	BackgroundErrors    *prometheus.CounterVec   // by kind of work
	Files               *prometheus.GaugeVec     // by level
	DebtBytes           prometheus.Gauge

	ScrubbedBytes    prometheus.Counter
	ScrubbedFiles    prometheus.Counter
	OldestScrub      prometheus.Gauge
	QuarantinedFiles prometheus.Counter
	MendedIndexes    prometheus.Counter
}

// NewMetrics makes the metrics and registers them; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: "tsm", Name: name, Help: help})
	}
	m := &Metrics{
		Log:        wal.NewMetrics(reg),
		Rows:       counter("rows_total", "Rows acknowledged."),
		Deletes:    counter("deletes_total", "Deletes acknowledged."),
		Duplicates: counter("duplicates_total", "Batches that a shard held already."),
		Refused: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: "tsm", Name: "refused_total", Help: "Batches that a shard did not take, by reason.",
		}, []string{"reason"}),
		SlowedBatches:     counter("slowed_batches_total", "Batches that had to wait because small files were many or memory was short."),
		ManifestsReplaced: counter("manifests_replaced_total", "Manifests replaced by a shorter one."),

		Packs:      counter("packs_total", "Memtables packed in memory."),
		Flushes:    counter("flushes_total", "Memtables written to segment files."),
		FlushBytes: counter("flush_bytes_total", "Bytes of segment files written by flushes."),
		Compactions: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: "tsm", Name: "compactions_total", Help: "Segment files written from others, by what for.",
		}, []string{"work"}),
		CompactionReadBytes: counter("compaction_read_bytes_total", "Bytes of segment files read by compactions."),
		CompactionBytes:     counter("compaction_bytes_total", "Bytes of segment files written by compactions."),
		CopiedRows:          counter("copied_rows_total", "Rows that compactions took over without decoding them."),
		RewriteSeconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "tsm", Name: "rewrite_seconds", Help: "How long writing a segment file took, by what for.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}, []string{"work"}),
		BackgroundErrors: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: "tsm", Name: "background_errors_total", Help: "Background work that failed and will be tried again.",
		}, []string{"work"}),
		Files: f.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "tsm", Name: "files", Help: "Segment files of open shards, by level; the last are written to be kept.",
		}, []string{"level"}),
		DebtBytes: f.NewGauge(prometheus.GaugeOpts{
			Namespace: "tsm", Name: "compaction_debt_bytes", Help: "Bytes of segment files that are to be compacted by now.",
		}),

		ScrubbedBytes: counter("scrubbed_bytes_total", "Bytes of segment and index files read back to find damage."),
		ScrubbedFiles: counter("scrubbed_files_total", "Segment files, and indexes of shards, read back to find damage."),
		OldestScrub: f.NewGauge(prometheus.GaugeOpts{
			Namespace: "tsm", Name: "oldest_scrub_seconds",
			Help: "When that segment file or index of open shards was read back, in seconds since 1970, that was so least recently; 0 when one was not since it was opened.",
		}),
		QuarantinedFiles: counter("quarantined_files_total", "Segment files, and indexes of shards, found damaged for good."),
		MendedIndexes:    counter("mended_index_files_total", "Index files found damaged and written anew from their other parts."),
	}
	// A dashboard shows none, and a rate begins, only of what is there from the start.
	for kind := range works {
		m.Compactions.WithLabelValues(kind.String())
		m.BackgroundErrors.WithLabelValues(kind.String())
	}
	return m
}
