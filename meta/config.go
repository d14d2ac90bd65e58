package meta

import (
	"fmt"
	"time"
)

// Config is how a Store behaves.
type Config struct {
	// Cluster is the folder of the cluster in etcd, so that several clusters
	// can share one.
	Cluster string `toml:"cluster"`
	// Timeout bounds every change and every linearizable read.
	Timeout time.Duration `toml:"timeout"`
}

// DefaultConfig gives the settings of a server that was told nothing.
func DefaultConfig() Config {
	return Config{Cluster: "varve", Timeout: 5 * time.Second}
}

// Validate says what is wrong with c.
func (c *Config) Validate() error {
	if err := checkName(c.Cluster); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if c.Timeout <= 0 {
		return fmt.Errorf("timeout: must be greater than 0, not %s", c.Timeout)
	}
	return nil
}
