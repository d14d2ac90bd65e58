package embedded

import (
	"fmt"
	"time"
)

// Config is how etcd in this process behaves.
type Config struct {
	// Quota bounds the bytes of etcd's database; over it changes are refused.
	Quota int64 `toml:"quota"`
	// HistoryKept is how long old revisions are kept.
	HistoryKept time.Duration `toml:"history-kept"`
}

// DefaultConfig gives the settings of a server that was told nothing.
func DefaultConfig() Config {
	return Config{Quota: 2 << 30, HistoryKept: time.Hour}
}

// Validate says what is wrong with c.
func (c *Config) Validate() error {
	switch {
	case c.Quota < 64<<20 || c.Quota > 8<<30:
		return fmt.Errorf("quota: must be between 64 MiB and 8 GiB, not %d bytes", c.Quota)
	case c.HistoryKept < time.Minute:
		return fmt.Errorf("history-kept: must be at least 1m, not %s", c.HistoryKept)
	}
	return nil
}
