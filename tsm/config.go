package tsm

import (
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/varvedb/varve/internal/arena"
	"github.com/varvedb/varve/model"
)

// Config says how a Shard behaves.
type Config struct {
	// PackBytes is what the rows that came last may take in memory as they are;
	// then they are packed, in the background, to about a tenth of it.
	PackBytes int64
	// FlushBytes is the size of all memtables, packed ones among them, at which
	// they are flushed.
	FlushBytes int64
	// FlushLogBytes is how much may be in the log that is in no file before the
	// memtables are flushed: a start has to replay it.
	FlushLogBytes int64
	// MaxMemoryBytes is the most that all memtables of the shard, the ones
	// being flushed among them, may hold; beyond it writes are refused with
	// model.ErrOverloaded.
	MaxMemoryBytes int64
	// FlushAge is how long a batch stays in the memtable of a shard that is
	// not written to before it is flushed.
	FlushAge time.Duration
	// CompactFiles is the number of small files that are merged into one.
	CompactFiles int
	// End is the end of the shard's time range, exclusive, in nanoseconds since
	// 1970: a shard that is past its end and idle is rewritten once, whole.
	End int64
	// ReservedBytes of the disk are kept free for deletes and metadata: below
	// them rows are refused with model.ErrUnavailable.
	ReservedBytes uint64

	// Replication is what is known of the other owners of the shard; nil is that
	// there are none.
	Replication Replication

	// Hash makes the hash of a canonical series key, as it is in batches: damaged
	// index files are mended and checked with it. nil is that it is not known.
	Hash func(key []byte) model.SeriesHash
	// Arena is where memtables have their memory, shared by all shards of a node;
	// nil is the heap.
	Arena *arena.Pool
	// Worker flushes and compacts in the background; one serves all shards of a
	// node. With nil nothing happens unless Flush and Compact are called.
	Worker *Worker
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log is where the shard reports; nil is nowhere.
	Log *slog.Logger
	// Metrics is what the shard counts in, shared by all shards of a node; nil
	// is counted for nobody.
	Metrics *Metrics
}

// DefaultConfig gives the settings of a shard that is filled by a few clients.
func DefaultConfig() Config {
	return Config{
		PackBytes:      16 << 20,
		FlushBytes:     64 << 20,
		FlushLogBytes:  256 << 20,
		MaxMemoryBytes: 256 << 20,
		FlushAge:       10 * time.Minute,
		CompactFiles:   4,
		End:            math.MaxInt64,
		ReservedBytes:  64 << 20,
	}
}

// Validate reports the first setting that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.PackBytes < 1:
		return fmt.Errorf("tsm: pack bytes %d: must be positive: %w", c.PackBytes, model.ErrInvalid)
	case c.FlushLogBytes < 1:
		return fmt.Errorf("tsm: flush log bytes %d: must be positive: %w", c.FlushLogBytes, model.ErrInvalid)
	case c.FlushBytes < 1:
		return fmt.Errorf("tsm: flush bytes %d: must be positive: %w", c.FlushBytes, model.ErrInvalid)
	case c.MaxMemoryBytes < c.FlushBytes:
		return fmt.Errorf("tsm: max memory bytes %d: less than flush bytes %d: %w", c.MaxMemoryBytes, c.FlushBytes, model.ErrInvalid)
	case c.FlushAge <= 0:
		return fmt.Errorf("tsm: flush age %v: must be positive: %w", c.FlushAge, model.ErrInvalid)
	case c.CompactFiles < 2:
		return fmt.Errorf("tsm: compact files %d: must be at least 2: %w", c.CompactFiles, model.ErrInvalid)
	}
	return nil
}
