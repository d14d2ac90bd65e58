package monitor

import (
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// Config is how a Monitor stores statistics.
type Config struct {
	// StoreEnabled has them written to StoreDatabase every StoreInterval. It is
	// off unless asked for, other than in InfluxDB: at rest it would be the only
	// thing that writes, a sync of the disk every ten seconds for ever, and 30
	// series for each shard. /metrics and /debug/vars give the same for nothing.
	StoreEnabled  bool
	StoreDatabase string
	StoreInterval time.Duration
}

// minInterval bounds how often statistics are stored.
const minInterval = time.Second

// DefaultConfig gives the settings of a server.
func DefaultConfig() Config {
	return Config{StoreDatabase: "_internal", StoreInterval: 10 * time.Second}
}

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	switch {
	case c.StoreInterval < minInterval:
		return fmt.Errorf("monitor-store-interval: %v, at least %v is possible: %w", c.StoreInterval, minInterval, model.ErrInvalid)
	case c.StoreDatabase == "":
		return fmt.Errorf("monitor-store-database: empty: %w", model.ErrInvalid)
	}
	return nil
}
