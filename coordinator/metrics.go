package coordinator

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a Writer counts.
type metrics struct {
	seconds prometheus.Histogram
	writes  *prometheus.CounterVec // by outcome
	rows    prometheus.Counter
	here    prometheus.Counter // rows sent to this node
	other   prometheus.Counter // rows sent to another
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
	sent := f.NewCounterVec(prometheus.CounterOpts{
		Namespace: "coordinator", Name: "owner_rows_total", Help: "Rows sent to an owner of their shard, by which (here, other): as often as they have owners.",
	}, []string{"owner"})
	m := &metrics{
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: "coordinator", Name: "write_seconds", Help: "Time from the parsed batch to the answer of its owners.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
		writes: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "writes_total", Help: "Writes, by outcome (ok, partial, timeout, error).",
		}, []string{"outcome"}),
		rows: f.NewCounter(prometheus.CounterOpts{
			Namespace: "coordinator", Name: "rows_total", Help: "Rows that were to be written.",
		}),
		here:  sent.WithLabelValues("here"),
		other: sent.WithLabelValues("other"),
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
	// A dashboard shows none, and a rate begins, only of what is there from the start.
	for _, outcome := range []string{"ok", "partial", "timeout", "error"} {
		m.writes.WithLabelValues(outcome)
	}
	return m
}

// wrote counts a write by how it ended.
func (m *metrics) wrote(rows, refused int, err error) {
	outcome := "ok"
	switch {
	case errors.Is(err, errTimeout):
		outcome = "timeout"
	case err != nil:
		outcome = "error"
	case refused > 0:
		outcome = "partial"
	}
	if err != nil {
		m.failed.Inc()
	}
	m.writes.WithLabelValues(outcome).Inc()
	m.rows.Add(float64(rows))
	m.refused.Add(float64(refused))
}
