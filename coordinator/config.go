package coordinator

import (
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// Config is how writes and reads are distributed.
type Config struct {
	// WriteTimeout is how long a write waits for its level.
	WriteTimeout time.Duration
	// Level is the consistency of a write that asks for none.
	Level Level
	// GroupsPerWrite bounds the shard groups that one write may touch. Each is
	// a directory with open files; making a thousand takes seconds.
	GroupsPerWrite int
	// ReadShards bounds the shards that one request lists at a time.
	ReadShards int
}

// DefaultConfig gives the settings of a server.
func DefaultConfig() Config {
	return Config{WriteTimeout: 10 * time.Second, Level: One, GroupsPerWrite: 2_000, ReadShards: 8}
}

// Validate reports the first setting that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.WriteTimeout <= 0:
		return fmt.Errorf("coordinator: write timeout %v: must be positive: %w", c.WriteTimeout, model.ErrInvalid)
	case c.Level < Any || c.Level > All:
		return fmt.Errorf("coordinator: level %d: not one of any, one, quorum, all: %w", c.Level, model.ErrInvalid)
	case c.GroupsPerWrite < 1:
		return fmt.Errorf("coordinator: %d groups per write: must be positive: %w", c.GroupsPerWrite, model.ErrInvalid)
	case c.ReadShards < 1:
		return fmt.Errorf("coordinator: %d shards read at a time: must be positive: %w", c.ReadShards, model.ErrInvalid)
	}
	return nil
}
