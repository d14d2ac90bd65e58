package meta

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	changes   prometheus.Counter
	conflicts prometheus.Counter
	failures  prometheus.Counter
	badValues prometheus.Counter
	reloads   prometheus.Counter
	revision  prometheus.Gauge

	leasesLost prometheus.Counter
	away       prometheus.Gauge
}

// newMetrics makes the metrics and registers them when reg is not nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "meta", Name: name, Help: help})
	}
	m := &metrics{
		changes:   counter("changes_total", "Changes of the metadata made by this node."),
		conflicts: counter("conflicts_total", "Transactions that lost against another change and were tried again."),
		failures:  counter("unavailable_total", "Changes and reads that the metadata store did not answer in time."),
		badValues: counter("bad_values_total", "Values in the metadata store that could not be understood and were left aside."),
		reloads:   counter("reloads_total", "Times that all metadata was read again, since the watch broke."),
		revision: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "meta", Name: "revision", Help: "Revision of the metadata that this node works with.",
		}),
		leasesLost: counter("leases_lost_total", "Times that this node counted as gone though it ran."),
		away: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "meta", Name: "away", Help: "1 while the metadata may be older than a few seconds.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.changes, m.conflicts, m.failures, m.badValues, m.reloads, m.revision, m.leasesLost, m.away)
	}
	return m
}

func (m *metrics) setAway(away bool) {
	m.away.Set(0)
	if away {
		m.away.Set(1)
	}
}
