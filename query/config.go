package query

import (
	"fmt"
	"runtime"

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
	// MaxBytes bounds the memory of one SELECT's state, at a shard and again
	// where the shards' answers are merged; 0 is plan.DefaultMaxBytes.
	MaxBytes int
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
	}
	return nil
}
