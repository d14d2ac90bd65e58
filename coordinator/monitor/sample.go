package monitor

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// sample is one number of a metric.
type sample struct {
	labels map[string]string
	value  float64
}

// samples is what was gathered, by the name of the metric.
type samples map[string][]sample

// gather gives all that is registered. Of a histogram or a summary it is the
// count and the sum. A metric that cannot be told is left out, for the rest is
// right all the same; the error names it.
func gather(g prometheus.Gatherer) (samples, error) {
	families, err := g.Gather()
	if err != nil {
		err = fmt.Errorf("gather metrics: %w", err)
	}
	all := samples{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := make(map[string]string, len(m.GetLabel()))
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			add := func(suffix string, v float64) {
				name := f.GetName() + suffix
				all[name] = append(all[name], sample{labels, v})
			}
			switch {
			case m.GetHistogram() != nil:
				add("_count", float64(m.GetHistogram().GetSampleCount()))
				add("_sum", m.GetHistogram().GetSampleSum())
			case m.GetSummary() != nil:
				add("_count", float64(m.GetSummary().GetSampleCount()))
				add("_sum", m.GetSummary().GetSampleSum())
			case m.GetCounter() != nil:
				add("", m.GetCounter().GetValue())
			case m.GetGauge() != nil:
				add("", m.GetGauge().GetValue())
			case m.GetUntyped() != nil:
				add("", m.GetUntyped().GetValue())
			}
		}
	}
	return all, err
}
