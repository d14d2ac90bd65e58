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
	// PeerBytes bounds the batches that one owner of several has been sent and
	// not answered, in memory. Beyond it the owner is sent nothing and pulls.
	PeerBytes int64
	// Limits bounds the series of databases for which no others are set.
	Limits model.SeriesLimits
	// ParkedEvery is how often the delivery of parked batches is tried.
	ParkedEvery time.Duration
	// ReadShards bounds the shards that one request lists at a time.
	ReadShards int
	// ReadQuorum makes reads ask a quorum of the owners where the request does
	// not say.
	ReadQuorum bool
	// BehindWait is how long a read waits for a replica that holds all, when
	// those that answer cannot prove it or none answers: an owner that was lost
	// costs time then, not an error.
	BehindWait time.Duration
	// HedgeLeast is the shortest time after which a second replica is asked
	// because the first is slower than usual.
	HedgeLeast time.Duration
}

// DefaultConfig gives the settings of a server.
func DefaultConfig() Config {
	return Config{
		WriteTimeout:   10 * time.Second,
		Level:          One,
		GroupsPerWrite: 2_000,
		PeerBytes:      64 << 20,
		Limits:         model.SeriesLimits{Series: 1_000_000, ValuesPerTag: 100_000},
		ParkedEvery:    time.Second,
		ReadShards:     8,
		BehindWait:     10 * time.Second,
		HedgeLeast:     20 * time.Millisecond,
	}
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
	case c.PeerBytes < 1:
		return fmt.Errorf("coordinator: %d bytes per peer: must be positive: %w", c.PeerBytes, model.ErrInvalid)
	case c.Limits.Series < 0 || c.Limits.ValuesPerTag < 0:
		return fmt.Errorf("coordinator: limits %+v: must not be negative: %w", c.Limits, model.ErrInvalid)
	case c.ParkedEvery <= 0 || c.BehindWait <= 0 || c.HedgeLeast <= 0:
		return fmt.Errorf("coordinator: a time that is not positive: %w", model.ErrInvalid)
	case c.ReadShards < 1:
		return fmt.Errorf("coordinator: %d shards read at a time: must be positive: %w", c.ReadShards, model.ErrInvalid)
	}
	return nil
}
