package replica

import (
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// Config is how a Node behaves.
type Config struct {
	// Fence is the most that the clocks of two sane nodes differ. An owner takes
	// batches first-hand only if they were stamped within it.
	Fence time.Duration
	// CutoffAge is how far back statements end: batches that are younger may
	// still be on their way to the others. It is greater than Fence.
	CutoffAge time.Duration
	// SyncFor is how long an owner counts as met after a message from it.
	// Together with CutoffAge and Fence it bounds what a read may miss.
	SyncFor time.Duration
	// PullPause is how long a shard waits after a pull that failed.
	PullPause time.Duration
	// Found is the promise of the clock that was found at the start: nothing
	// below it is taken first-hand.
	Found model.HLC
}

// DefaultConfig gives the settings of a server: a read misses nothing that was
// acknowledged more than 4.5 seconds before it.
func DefaultConfig() Config {
	return Config{Fence: 500 * time.Millisecond, CutoffAge: time.Second, SyncFor: 3 * time.Second, PullPause: 500 * time.Millisecond}
}

// Validate reports the first setting that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.Fence <= 0:
		return fmt.Errorf("replica: fence %v: must be positive: %w", c.Fence, model.ErrInvalid)
	case c.CutoffAge <= c.Fence:
		return fmt.Errorf("replica: cut-off age %v: must be more than the fence, %v: %w", c.CutoffAge, c.Fence, model.ErrInvalid)
	case c.SyncFor <= 0:
		return fmt.Errorf("replica: in sync for %v: must be positive: %w", c.SyncFor, model.ErrInvalid)
	case c.PullPause < 0:
		return fmt.Errorf("replica: pause after a pull %v: must not be negative: %w", c.PullPause, model.ErrInvalid)
	}
	return nil
}
