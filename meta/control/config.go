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
	// PrecreateInterval is the time between two looks for fields that the next
	// group does not know yet. The group itself is made at once.
	PrecreateInterval time.Duration `toml:"precreate-check-interval"`
	// PrecreateAhead is how long before its start a group is made. It is for how
	// long etcd may be away without a write failing at the boundary.
	PrecreateAhead time.Duration `toml:"precreate-advance-period"`

	// ReplaceAfter is how long a node may be absent before what it keeps is
	// copied to others.
	ReplaceAfter time.Duration `toml:"replace-after"`
	// MovesAtOnce bounds the replicas that are copied at a time in the whole
	// cluster, and MovesPerNode those that are copied to one node.
	MovesAtOnce  int `toml:"moves-at-once"`
	MovesPerNode int `toml:"moves-per-node"`
}

// DefaultConfig gives InfluxDB's intervals, groups that are made a day ahead, and
// moves that a busy cluster hardly feels.
func DefaultConfig() Config {
	return Config{
		RetentionInterval: 30 * time.Minute,
		PrecreateInterval: 10 * time.Minute,
		PrecreateAhead:    24 * time.Hour,
		ReplaceAfter:      30 * time.Minute,
		MovesAtOnce:       8,
		MovesPerNode:      2,
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
	case c.ReplaceAfter < time.Second:
		return fmt.Errorf("replace-after: must be at least 1s, not %s", c.ReplaceAfter)
	case c.MovesPerNode < 1:
		return fmt.Errorf("moves-per-node: must be at least 1, not %d", c.MovesPerNode)
	case c.MovesAtOnce < c.MovesPerNode:
		return fmt.Errorf("moves-at-once: must be at least moves-per-node, %d, not %d", c.MovesPerNode, c.MovesAtOnce)
	}
	return nil
}
