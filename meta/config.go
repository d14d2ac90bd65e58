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
	// DefaultReplication is the replication factor of policies that were made
	// without one, as far as there are data nodes.
	DefaultReplication int `toml:"default-replication"`
}

// DefaultConfig gives the settings of a server that was told nothing.
func DefaultConfig() Config {
	return Config{Cluster: "varve", Timeout: 4500 * time.Millisecond, DefaultReplication: 3}
}

// maxDefaultReplication is far beyond what anybody gains from; it catches slips.
const maxDefaultReplication = 16

// Validate says what is wrong with c.
func (c *Config) Validate() error {
	if err := checkName(c.Cluster); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if c.Timeout <= 0 {
		return fmt.Errorf("timeout: must be greater than 0, not %s", c.Timeout)
	}
	if c.DefaultReplication < 1 || c.DefaultReplication > maxDefaultReplication {
		return fmt.Errorf("default-replication: must be between 1 and %d, not %d", maxDefaultReplication, c.DefaultReplication)
	}
	return nil
}
