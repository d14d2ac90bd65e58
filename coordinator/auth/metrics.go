package auth

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/model"
)

type metrics struct {
	accepted    prometheus.Counter
	refused     prometheus.Counter
	throttled   prometheus.Counter
	unavailable prometheus.Counter
	comparisons prometheus.Counter
}

// newMetrics makes the metrics and registers them when reg is not nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "auth", Name: "requests_total",
		Help: "Requests that were asked who sends them, by outcome: accepted, refused (401), throttled (503: too many were wrong, or too many at a time), unavailable (503: the metadata could not be asked).",
	}, []string{"outcome"})
	m := &metrics{
		accepted:    requests.WithLabelValues("accepted"),
		refused:     requests.WithLabelValues("refused"),
		throttled:   requests.WithLabelValues("throttled"),
		unavailable: requests.WithLabelValues("unavailable"),
		comparisons: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "auth", Name: "password_comparisons_total", Help: "Passwords compared with a hash, which takes 50 ms of a processor.",
		}),
	}
	if reg != nil {
		reg.MustRegister(requests, m.comparisons)
	}
	return m
}

func (m *metrics) count(err error) {
	switch {
	case err == nil:
		m.accepted.Inc()
	case errors.Is(err, model.ErrUnauthenticated):
		m.refused.Inc()
	case errors.Is(err, model.ErrOverloaded):
		m.throttled.Inc()
	case !errors.Is(err, context.Canceled): // who went away wants no answer
		m.unavailable.Inc()
	}
}
