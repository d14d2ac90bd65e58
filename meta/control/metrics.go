package control

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	leading  prometheus.Gauge
	deleted  prometheus.Counter
	pruned   prometheus.Counter
	created  prometheus.Counter
	failures prometheus.Counter
	absences prometheus.Counter
	returns  prometheus.Counter
	rounds   prometheus.Counter
	refused  prometheus.Counter
	steps    *prometheus.CounterVec // by step and reason
	finished *prometheus.CounterVec // by reason
	givenUp  *prometheus.CounterVec // by reason

	// What only the controller knows; 0 on other nodes.
	under, lost, moving, oldest, left prometheus.Gauge
}

// newMetrics makes the metrics and registers them when reg is not nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	var all []prometheus.Collector
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "control", Name: name, Help: help})
		all = append(all, c)
		return c
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "control", Name: name, Help: help}, labels)
		all = append(all, c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "control", Name: name, Help: help})
		all = append(all, g)
		return g
	}
	m := &metrics{
		leading:  gauge("leading", "1 while this node acts for the cluster."),
		deleted:  counter("groups_expired_total", "Shard groups marked deleted since their policy no longer keeps them."),
		pruned:   counter("groups_pruned_total", "Shard groups and schemas forgotten for good."),
		created:  counter("groups_precreated_total", "Shard groups made before their time came."),
		failures: counter("failures_total", "Acts that failed and are tried again at the next look."),
		absences: counter("absences_total", "Times that a data node was seen to go."),
		returns:  counter("returns_total", "Times that a data node was seen to come back."),
		rounds:   counter("rebalance_rounds_total", "Rounds of a rebalance that came to their end."),
		refused:  counter("steps_overtaken_total", "Changes of the owners of a shard that another change had overtaken."),
		steps:    counters("steps_total", "Changes of the owners of a shard made by the controller.", "step", "why"),
		finished: counters("moves_finished_total", "Moves of a shard that came to their end.", "why"),
		givenUp:  counters("moves_given_up_total", "Moves of a shard that were cancelled or could not go on.", "why"),
		under:    gauge("shards_under_replicated", "Shards with fewer active owners alive than they are to have. 0 unless this node is the controller."),
		lost:     gauge("shards_without_owner", "Shards with no owner alive that has their data. 0 unless this node is the controller."),
		moving:   gauge("moves", "Moves of shards in progress. 0 unless this node is the controller."),
		oldest:   gauge("oldest_move_seconds", "Age of the oldest move in progress. 0 unless this node is the controller."),
		left:     gauge("rebalance_moves_left", "Moves of the rebalance under way that are not done. 0 unless this node is the controller."),
	}
	if reg != nil {
		reg.MustRegister(all...)
	}
	return m
}

// rest sets what only the controller knows to 0.
func (m *metrics) rest() {
	for _, g := range []prometheus.Gauge{m.leading, m.under, m.lost, m.moving, m.oldest, m.left} {
		g.Set(0)
	}
}
