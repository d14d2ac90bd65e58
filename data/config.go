package data

import (
	"fmt"
	"runtime"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// Config is how a Node behaves.
type Config struct {
	// MemtableBytes bounds what the memtables of all shards hold together.
	// From half of it on the largest is flushed; beyond it writes are refused
	// with model.ErrOverloaded.
	MemtableBytes int64
	// OpenShards is how many shards stay open while no request uses them; the
	// one unused for longest is closed first.
	OpenShards int
	// Workers is the number of goroutines that flush and compact.
	Workers int
	// SweepEvery is how often the node looks for shards whose group has gone,
	// beside doing so when the metadata changes.
	SweepEvery time.Duration
	// Shard is the settings of each shard. Worker and Metrics are set by Open,
	// End for each shard.
	Shard tsm.Config
}

// DefaultConfig gives the settings of a small server.
func DefaultConfig() Config {
	return Config{
		MemtableBytes: 512 << 20,
		OpenShards:    512,
		Workers:       max(1, runtime.GOMAXPROCS(0)/2),
		SweepEvery:    time.Minute,
		Shard:         tsm.DefaultConfig(),
	}
}

// Validate reports the first setting that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.MemtableBytes < 1<<20:
		return fmt.Errorf("data: memtables of %d bytes: less than 1 MiB: %w", c.MemtableBytes, model.ErrInvalid)
	case c.OpenShards < 1:
		return fmt.Errorf("data: %d open shards: must be positive: %w", c.OpenShards, model.ErrInvalid)
	case c.Workers < 1:
		return fmt.Errorf("data: %d workers: must be positive: %w", c.Workers, model.ErrInvalid)
	case c.SweepEvery <= 0:
		return fmt.Errorf("data: sweep every %v: must be positive: %w", c.SweepEvery, model.ErrInvalid)
	}
	return c.Shard.Validate()
}
