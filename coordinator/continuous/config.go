package continuous

import (
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// Config is how a Runner behaves. The names are InfluxDB's.
type Config struct {
	// RunInterval is how often it looks for queries that are due.
	RunInterval time.Duration
	// LogEnabled makes it log the start and the end of every run.
	LogEnabled bool
}

// DefaultConfig gives InfluxDB's settings.
func DefaultConfig() Config {
	return Config{RunInterval: time.Second, LogEnabled: true}
}

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	if c.RunInterval <= 0 {
		return fmt.Errorf("continuous queries: run interval %v: must be positive: %w", c.RunInterval, model.ErrInvalid)
	}
	return nil
}
