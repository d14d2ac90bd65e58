package data

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/varvedb/varve/data/replica"
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

	behind      prometheus.Counter
	untold      prometheus.Counter
	aheadClocks prometheus.Counter
	pulls       *prometheus.CounterVec
	pulled      prometheus.Counter
	copies      prometheus.Counter
	copiedBytes prometheus.Counter
	rebuilds    prometheus.Counter
	givenUp     prometheus.Counter
	leftovers   prometheus.Counter
	anew        prometheus.Counter
	setAside    prometheus.Counter
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
	if r != nil {
		r.MustRegister(databaseMetrics{n})
	}
	gauge("shards", "Shards that have a directory here.", func() float64 { return float64(len(n.shards.ids())) })
	gauge("disk_free_bytes", "Bytes that can still be written where the shards are.", func() float64 {
		free, err := n.Free()
		if err != nil {
			return math.NaN()
		}
		return float64(free)
	})
	gauge("shards_open", "Shards that are open.", func() float64 { return float64(n.shards.opens()) })
	gauge("memtable_bytes", "Bytes in memtables, as last asked.", func() float64 { return float64(n.memory.Load()) })
	gauge("replicas_behind", "Replicas that cannot answer reads, since they lack something or have not met all owners.", func() float64 { return float64(n.replicas().behind) })
	gauge("replica_missing_batches", "Batches that other owners hold and replicas here lack.", func() float64 { return float64(n.replicas().missing) })
	gauge("replica_behind_seconds", "How long ago the other owner of a replica was met that was not met for longest.", func() float64 { return n.replicas().age.Seconds() })
	gauge("replica_log_bytes", "Bytes of the logs of open shards, kept for other owners and for what is not flushed.", func() float64 { return float64(n.replicas().log) })
	refused := func(reason string, count func(replica.Counters) uint64) {
		f.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "data", Name: "batches_refused_total", Help: "Batches refused by their version.",
			ConstLabels: prometheus.Labels{"reason": reason},
		}, func() float64 { return float64(count(n.core.Counters())) })
	}
	refused("stale", func(c replica.Counters) uint64 { return c.Stale })
	refused("too_new", func(c replica.Counters) uint64 { return c.TooNew })
	refused("below_frontier", func(c replica.Counters) uint64 { return c.Below })
	refused("clock", func(c replica.Counters) uint64 { return c.ClockOff })
	return &metrics{
		batches:    counter("batches_written_total", "Batches of rows that were made durable."),
		rows:       counter("rows_written_total", "Rows that were made durable."),
		deletes:    counter("deletes_total", "Deletes that were made durable."),
		late:       counter("late_batches_total", "Batches ignored because their shard was dropped."),
		overloaded: counter("overloaded_batches_total", "Batches refused because memtables were full."),
		scans:      counter("scans_total", "Fragments run on a shard."),
		openErrors: counter("shard_open_errors_total", "Shards that did not open."),
		dropped:    counter("shards_removed_total", "Shards removed because their group was dropped."),

		behind:      counter("behind_answers_total", "Reads that a replica did not answer since it was behind."),
		untold:      counter("messages_failed_total", "Messages that another owner did not answer."),
		aheadClocks: counter("clock_readings_refused_total", "Messages whose clock was ahead by more than the fence."),
		pulls: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: "data", Name: "pulls_total", Help: "Pulls of missing batches from other owners, by result.",
		}, []string{"result"}),
		pulled:      counter("pulled_batches_total", "Batches that came from other owners."),
		copies:      counter("copies_total", "Shards that were copied here."),
		copiedBytes: counter("copied_bytes_total", "Bytes of files that came with copies."),
		rebuilds:    counter("replicas_damaged_total", "Replicas that asked to be copied anew."),
		givenUp:     counter("owners_given_up_total", "Owners marked to be copied anew since the log for them grew too large."),
		leftovers:   counter("leftover_batches_total", "Batches that were offered to other owners."),
		anew:        counter("leftover_batches_taken_total", "Offered batches of which something was written anew."),
		setAside:    counter("replicas_set_aside_total", "Replicas kept aside that could not be handed over whole."),
	}
}
