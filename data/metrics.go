package data

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a node counts.
type metrics struct {
	batches    prometheus.Counter
	rows       prometheus.Counter
	deletes    prometheus.Counter
	late       prometheus.Counter
	overloaded prometheus.Counter
	scans      prometheus.Counter
	openErrors prometheus.Counter
	dropped    prometheus.Counter
}

// newMetrics registers the metrics of n; with a nil r they are only counted.
func newMetrics(r prometheus.Registerer, n *Node) *metrics {
	f := promauto.With(r)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: "data", Name: name, Help: help})
	}
	gauge := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "data", Name: name, Help: help}, value)
	}
	gauge("shards", "Shards that have a directory here.", func() float64 { return float64(len(n.shards.ids())) })
	gauge("shards_open", "Shards that are open.", func() float64 { return float64(n.shards.opens()) })
	gauge("memtable_bytes", "Bytes in memtables, as last asked.", func() float64 { return float64(n.memory.Load()) })
	return &metrics{
		batches:    counter("batches_written_total", "Batches of rows that were made durable."),
		rows:       counter("rows_written_total", "Rows that were made durable."),
		deletes:    counter("deletes_total", "Deletes that were made durable."),
		late:       counter("late_batches_total", "Batches ignored because their shard was dropped."),
		overloaded: counter("overloaded_batches_total", "Batches refused because memtables were full."),
		scans:      counter("scans_total", "Fragments run on a shard."),
		openErrors: counter("shard_open_errors_total", "Shards that did not open."),
		dropped:    counter("shards_removed_total", "Shards removed because their group was dropped."),
	}
}
