package data

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// written counts what a shard was given since the process began.
type written struct {
	batches, failed, rows, failedRows atomic.Uint64
}

func (w *written) note(b *model.Batch, err error) {
	if err != nil {
		w.failed.Add(1)
		w.failedRows.Add(uint64(b.Rows()))
		return
	}
	w.batches.Add(1)
	w.rows.Add(uint64(b.Rows()))
}

// ShardMetrics gives the metrics of each shard that is open. They are not among
// those of the node: a year of days has more of them than anyone wants to
// scrape every few seconds.
func (n *Node) ShardMetrics() prometheus.Collector { return shardMetrics{n} }

type shardMetrics struct{ node *Node }

// shardMetric is a metric of a shard.
type shardMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*written, *tsm.Info) float64
	label string // the value of the label outcome, "" where there is none
}

var shardLabels = []string{"database", "policy", "shard", "path", "log_path"}

func shardGauge(name, help string, value func(*tsm.Info) int64) shardMetric {
	return shardMetric{
		desc: prometheus.NewDesc("data_shard_"+name, help, shardLabels, nil), kind: prometheus.GaugeValue,
		value: func(_ *written, i *tsm.Info) float64 { return float64(value(i)) },
	}
}

// shardCounters gives a counter by outcome.
func shardCounters(name, help string, ok, failed func(*written) *atomic.Uint64) []shardMetric {
	desc := prometheus.NewDesc("data_shard_"+name, help, append(shardLabels[:len(shardLabels):len(shardLabels)], "outcome"), nil)
	counter := func(outcome string, of func(*written) *atomic.Uint64) shardMetric {
		return shardMetric{desc, prometheus.CounterValue, func(w *written, _ *tsm.Info) float64 { return float64(of(w).Load()) }, outcome}
	}
	return []shardMetric{counter("ok", ok), counter("error", failed)}
}

var shardTable = append(append([]shardMetric{
	shardGauge("disk_bytes", "Files and log of a shard.", func(i *tsm.Info) int64 { return i.DiskBytes }),
	shardGauge("file_bytes", "Files of a shard.", func(i *tsm.Info) int64 { return i.DiskBytes - i.LogBytes }),
	shardGauge("log_bytes", "Log of a shard.", func(i *tsm.Info) int64 { return i.LogBytes }),
	shardGauge("memory_bytes", "Memtables of a shard.", func(i *tsm.Info) int64 { return i.MemoryBytes }),
	shardGauge("files", "Segment files of a shard.", func(i *tsm.Info) int64 { return int64(i.Files) }),
	shardGauge("series", "Series of a shard.", func(i *tsm.Info) int64 { return int64(i.Series) }),
},
	shardCounters("batches_total", "Batches given to a shard, by outcome (ok, error).",
		func(w *written) *atomic.Uint64 { return &w.batches }, func(w *written) *atomic.Uint64 { return &w.failed })...),
	shardCounters("rows_total", "Rows given to a shard, by outcome (ok, error).",
		func(w *written) *atomic.Uint64 { return &w.rows }, func(w *written) *atomic.Uint64 { return &w.failedRows })...)

// Describe implements prometheus.Collector.
func (shardMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, m := range shardTable {
		to <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c shardMetrics) Collect(to chan<- prometheus.Metric) {
	n := c.node
	snapshot := n.follow()
	for h, shard := range n.shards.useOpen() {
		if g, _ := snapshot.Shard(h.id); g != nil && g.Live() {
			database, policy := "", ""
			if d, p := snapshot.Policy(g.Policy); d != nil {
				database, policy = d.Name, p.Name
			}
			info := shard.Info()
			dir := n.shards.path(h.id)
			labels := []string{database, policy, strconv.FormatUint(h.id, 10), dir, dir + "/log"}
			for i := range shardTable {
				m := &shardTable[i]
				values := labels
				if m.label != "" {
					values = append(labels[:len(labels):len(labels)], m.label)
				}
				to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&h.written, &info), values...)
			}
		}
		n.release(h)
	}
}
