package query

import (
	"context"
	"time"

	"github.com/varvedb/varve/model"
)

// Monitor is what SHOW STATS and SHOW DIAGNOSTICS show of the process.
type Monitor struct {
	// Statistics gives those of this node, sorted by name.
	Statistics func(ctx context.Context) ([]Statistic, error)
	Version    string    // of this software
	Started    time.Time // the process
	// Settings is the settings by module, as config-data.
	Settings map[string]map[string]any
}

// Statistic is one row of SHOW STATS: the values of a module, or of a part of it
// that the tags name.
type Statistic struct {
	Name   string
	Tags   model.Tags // sorted
	Values map[string]int64
}

// Observe lets clients see what m has. It is called before the first request.
func (e *Executor) Observe(m Monitor) { e.monitor = m }
