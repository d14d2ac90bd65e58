package control

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	leading  prometheus.Gauge
	deleted  prometheus.Counter
	pruned   prometheus.Counter
	created  prometheus.Counter
	failures prometheus.Counter
}

// newMetrics makes the metrics and registers them when reg is not nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "control", Name: name, Help: help})
	}
	m := &metrics{
		leading:  prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "control", Name: "leading", Help: "1 while this node acts for the cluster."}),
		deleted:  counter("groups_expired_total", "Shard groups marked deleted since their policy no longer keeps them."),
		pruned:   counter("groups_pruned_total", "Shard groups and schemas forgotten for good."),
		created:  counter("groups_precreated_total", "Shard groups made before their time came."),
		failures: counter("failures_total", "Acts that failed and are tried again at the next look."),
	}
	if reg != nil {
		reg.MustRegister(m.leading, m.deleted, m.pruned, m.created, m.failures)
	}
	return m
}
