package quota

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	refused *prometheus.CounterVec // by kind of who has the quota, and by limit
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{refused: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "quota_refused_total", Help: "Requests refused because a database or a user has taken what it may.",
	}, []string{"of", "limit"})}
	if reg != nil {
		reg.MustRegister(m.refused)
	}
	return m
}
