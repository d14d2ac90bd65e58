package coordinator

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a Writer counts.
type metrics struct {
	seconds prometheus.Histogram
	refused prometheus.Counter
	failed  prometheus.Counter
	deletes prometheus.Counter
	stale   prometheus.Counter

	askedKeys  prometheus.Counter
	overBudget *prometheus.CounterVec // by node
	parked     prometheus.Counter
	delivered  prometheus.Counter
	dropped    prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	return &metrics{
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: "coordinator", Name: "write_seconds", Help: "Time from the parsed batch to the answer of its owners.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
		refused: f.NewCounter(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "refused_rows_total", Help: "Rows not stored for their content: type or age.",
		}),
		failed: f.NewCounter(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "failed_writes_total", Help: "Writes that failed as a whole.",
		}),
		stale: f.NewCounter(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "restamped_batches_total", Help: "Batches stamped again because all owners found them too old.",
		}),
		askedKeys: f.NewCounter(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "asked_keys_total", Help: "Batches sent again because an owner lacked the keys of series.",
		}),
		overBudget: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "over_budget_batches_total", Help: "Batches not sent to an owner that had not answered enough of what it was sent.",
		}, []string{"node"}),
		parked: f.NewCounter(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "parked_batches_total", Help: "Batches kept here because no owner could be sent them.",
		}),
		delivered: f.NewCounter(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "delivered_batches_total", Help: "Parked batches that an owner has taken.",
		}),
		dropped: f.NewCounter(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "dropped_parked_batches_total", Help: "Parked batches removed because their shard was dropped.",
		}),
		deletes: f.NewCounter(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "deletes_total", Help: "Deletes sent to shards.",
		}),
	}
}
