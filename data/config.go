package data

import (
	"fmt"
	"runtime"
	"time"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// Config is how a Node behaves.
type Config struct {
	// MemtableBytes bounds what the memtables of all shards hold together.
	// From half of it on the largest are packed and flushed; beyond it writes are
	// refused with model.ErrOverloaded.
	MemtableBytes int64
	// UnflushedLogBytes is how much may be in the logs of all shards that is in no
	// file: a start replays it. Beyond it the shard whose log is oldest is flushed.
	UnflushedLogBytes int64
	// OpenShards is how many shards stay open while no request uses them; the
	// one unused for longest is closed first.
	OpenShards int
	// Workers is the number of shards that are flushed at a time.
	Workers int
	// CompactionRate bounds what merging and rewriting of files reads and writes
	// in a second, in bytes; 0 is no bound. Flushes have none.
	CompactionRate int64
	// ScrubRate is how many bytes of files are read back in a second to find
	// damage while it can be mended; 0 is none.
	ScrubRate int64
	// SweepEvery is how often the node looks for shards whose group has gone,
	// beside doing so when the metadata changes.
	SweepEvery time.Duration
	// Shard is the settings of each shard. Worker and Metrics are set by Open,
	// End, Log and Replication for each shard.
	Shard tsm.Config

	// Replica is how replicas are kept the same. Found is set by Open.
	Replica replica.Config
	// TellEvery is how often each other owner is told what is held here.
	TellEvery time.Duration
	// PullsAtOnce is the number of shards that catch up at the same time.
	PullsAtOnce int
	// CopiesAtOnce is the number of shards that are copied here whole at the
	// same time.
	CopiesAtOnce int
	// TransferBytes bounds what pulls and copies bring here in a second, all
	// together, so that they leave something to the requests of clients.
	TransferBytes int64
	// CatchupMaxBytes and CatchupMaxAge bound the log that is kept for an owner
	// that is away. Past them it is marked, and gets its replicas copied anew.
	CatchupMaxBytes int64
	CatchupMaxAge   time.Duration
	// HandOverFor bounds how long Close waits for the other owners to hold what
	// is held here.
	HandOverFor time.Duration
}

// DefaultConfig gives the settings of a small server.
func DefaultConfig() Config {
	return Config{
		MemtableBytes:     512 << 20,
		UnflushedLogBytes: 1 << 30,
		OpenShards:        512,
		Workers:           max(1, runtime.GOMAXPROCS(0)/2),
		ScrubRate:         5 << 20,
		SweepEvery:        time.Minute,
		Shard:             tsm.DefaultConfig(),

		Replica:         replica.DefaultConfig(),
		TellEvery:       200 * time.Millisecond,
		PullsAtOnce:     4,
		CopiesAtOnce:    2,
		TransferBytes:   128 << 20,
		CatchupMaxBytes: 10 << 30,
		CatchupMaxAge:   7 * 24 * time.Hour,
		HandOverFor:     3 * time.Second,
	}
}

// Validate reports the first setting that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.MemtableBytes < 1<<20:
		return fmt.Errorf("data: memtables of %d bytes: less than 1 MiB: %w", c.MemtableBytes, model.ErrInvalid)
	case c.UnflushedLogBytes < 1<<20:
		return fmt.Errorf("data: %d bytes of log in no file: less than 1 MiB: %w", c.UnflushedLogBytes, model.ErrInvalid)
	case c.OpenShards < 1:
		return fmt.Errorf("data: %d open shards: must be positive: %w", c.OpenShards, model.ErrInvalid)
	case c.Workers < 1:
		return fmt.Errorf("data: %d workers: must be positive: %w", c.Workers, model.ErrInvalid)
	case c.CompactionRate != 0 && c.CompactionRate < 1<<20:
		return fmt.Errorf("data: compaction of %d bytes a second: less than 1 MiB: %w", c.CompactionRate, model.ErrInvalid)
	case c.ScrubRate < 0:
		return fmt.Errorf("data: scrub of %d bytes a second: must not be negative: %w", c.ScrubRate, model.ErrInvalid)
	case c.SweepEvery <= 0:
		return fmt.Errorf("data: sweep every %v: must be positive: %w", c.SweepEvery, model.ErrInvalid)
	case c.TellEvery <= 0 || c.TellEvery > c.Replica.SyncFor/2:
		return fmt.Errorf("data: tell every %v: must be positive and less than half of %v: %w", c.TellEvery, c.Replica.SyncFor, model.ErrInvalid)
	case c.PullsAtOnce < 1:
		return fmt.Errorf("data: %d pulls at once: must be positive: %w", c.PullsAtOnce, model.ErrInvalid)
	case c.CopiesAtOnce < 1:
		return fmt.Errorf("data: %d copies at once: must be positive: %w", c.CopiesAtOnce, model.ErrInvalid)
	case c.TransferBytes < 1<<20:
		return fmt.Errorf("data: transfers of %d bytes a second: less than 1 MiB: %w", c.TransferBytes, model.ErrInvalid)
	case c.CatchupMaxBytes < 1:
		return fmt.Errorf("data: catch-up with at most %d bytes: must be positive: %w", c.CatchupMaxBytes, model.ErrInvalid)
	case c.CatchupMaxAge <= 0:
		return fmt.Errorf("data: catch-up for at most %v: must be positive: %w", c.CatchupMaxAge, model.ErrInvalid)
	case c.HandOverFor < 0:
		return fmt.Errorf("data: hand over for %v: must not be negative: %w", c.HandOverFor, model.ErrInvalid)
	}
	if err := c.Replica.Validate(); err != nil {
		return err
	}
	return c.Shard.Validate()
}
