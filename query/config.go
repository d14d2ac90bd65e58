package query

import (
	"fmt"
	"runtime"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

// Config is how an Executor behaves.
type Config struct {
	// Concurrent is how many requests run at a time, and Queue how many more
	// may wait; the next is refused with model.ErrOverloaded.
	Concurrent int
	Queue      int
	// MaxSeries, MaxPoints and MaxBuckets bound one SELECT; 0 is no bound.
	MaxSeries  int
	MaxPoints  int
	MaxBuckets int
	// MaxBytes bounds the memory that one statement holds at this node, and at
	// each other node for each shard that it is asked for; 0 is
	// plan.DefaultMaxBytes. What all hold together a memory.Pool bounds.
	MaxBytes int
	// Timeout ends a request that waits or runs for so long without handing out
	// anything; 0 is never.
	Timeout time.Duration
	// Log has every statement logged when it ends.
	Log bool
	// LogAfter has requests logged that run for so long; 0 is none.
	LogAfter time.Duration
	// Extensions is that of every Request.
	Extensions bool
}

// DefaultConfig gives the settings of a server.
func DefaultConfig() Config {
	return Config{
		Concurrent: 2 * runtime.GOMAXPROCS(0),
		Queue:      64,
		MaxSeries:  2_000_000,
		MaxBuckets: 20_000_000,
		MaxBytes:   plan.DefaultMaxBytes,
		Timeout:    5 * time.Minute,
	}
}

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	switch {
	case c.Concurrent < 1:
		return fmt.Errorf("query: %d queries at a time: %w", c.Concurrent, model.ErrInvalid)
	case c.Queue < 0:
		return fmt.Errorf("query: a queue of %d: %w", c.Queue, model.ErrInvalid)
	case c.MaxSeries < 0 || c.MaxPoints < 0 || c.MaxBuckets < 0 || c.MaxBytes < 0:
		return fmt.Errorf("query: a negative limit: %w", model.ErrInvalid)
	case c.Timeout < 0 || c.LogAfter < 0:
		return fmt.Errorf("query: a negative time: %w", model.ErrInvalid)
	}
	return nil
}
