package coordinator

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// readMetrics is what a Reader counts.
type readMetrics struct {
	failovers prometheus.Counter
	hedges    prometheus.Counter
	behind    prometheus.Counter
	partial   prometheus.Counter
}

func newReadMetrics(r prometheus.Registerer) *readMetrics {
	f := promauto.With(r)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: "coordinator", Name: name, Help: help})
	}
	return &readMetrics{
		failovers: counter("failovers_total", "Reads of a shard that another owner was asked for because one failed."),
		hedges:    counter("hedges_total", "Reads of a shard that a second owner was asked for because one was slow."),
		behind:    counter("behind_retries_total", "Waits for an owner that can prove that it holds all of a shard."),
		partial:   counter("partial_shards_total", "Shards that an answer lacks, or may lack rows of, as the request allowed."),
	}
}
