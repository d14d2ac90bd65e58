package control

import (
	"fmt"
	"time"
)

// Config is how a Controller behaves.
type Config struct {
	// RetentionInterval is the time between two looks for groups that their
	// policy no longer keeps.
	RetentionInterval time.Duration `toml:"retention-check-interval"`
	// PrecreateInterval is the time between two looks for groups that end soon.
	PrecreateInterval time.Duration `toml:"precreate-check-interval"`
	// PrecreateAhead is how long before its start a group is made.
	PrecreateAhead time.Duration `toml:"precreate-advance-period"`
}

// DefaultConfig gives InfluxDB's intervals.
func DefaultConfig() Config {
	return Config{
		RetentionInterval: 30 * time.Minute,
		PrecreateInterval: 10 * time.Minute,
		PrecreateAhead:    30 * time.Minute,
	}
}

// Validate says what is wrong with c.
func (c *Config) Validate() error {
	switch {
	case c.RetentionInterval < time.Second:
		return fmt.Errorf("retention-check-interval: must be at least 1s, not %s", c.RetentionInterval)
	case c.PrecreateInterval < time.Second:
		return fmt.Errorf("precreate-check-interval: must be at least 1s, not %s", c.PrecreateInterval)
	case c.PrecreateAhead <= c.PrecreateInterval:
		return fmt.Errorf("precreate-advance-period: must be greater than precreate-check-interval, %s, not %s", c.PrecreateInterval, c.PrecreateAhead)
	}
	return nil
}
