package query

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Monitor is what SHOW STATS and SHOW DIAGNOSTICS show of the process.
type Monitor struct {
	// Metrics gives what is registered, all of which SHOW STATS shows.
	Metrics prometheus.Gatherer
	Version string    // of this software
	Started time.Time // the process
	// Settings is the settings by module, as config-data.
	Settings map[string]map[string]any
}

// Observe lets clients see what m has. It is called before the first request.
func (e *Executor) Observe(m Monitor) { e.monitor = m }
