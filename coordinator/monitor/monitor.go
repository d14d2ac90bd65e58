package monitor

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/query"
)

// Parts is what a Monitor works with.
type Parts struct {
	// Metrics gives the metrics of the node, and those of each shard beside them.
	Metrics prometheus.Gatherer
	Bind    string    // the address that HTTP is served on
	Started time.Time // the process
	Version string    // of this software
	// CommandLine is how the process was started, without secrets, and Settings
	// its settings by module, as config-data, without secrets.
	CommandLine []string
	Settings    map[string]map[string]any
	Log         *slog.Logger
}

// Monitor gives the statistics of a node. It is safe for concurrent use.
type Monitor struct {
	parts   Parts
	modules []module
}

// New gives a Monitor.
func New(p Parts) *Monitor { return &Monitor{parts: p, modules: modules(p.Bind)} }

// Statistics gives the statistics, sorted by name and tags.
func (m *Monitor) Statistics(context.Context) ([]query.Statistic, error) {
	all, err := gather(m.parts.Metrics)
	if err != nil {
		m.parts.Log.Debug("some metrics could not be gathered", "error", err)
	}
	return statistics(m.modules, all), nil
}
