package lineprotocol

import (
	"fmt"
	"runtime"

	"github.com/varvedb/varve/model"
)

// Config is how a Parser behaves.
type Config struct {
	// HashSeed is the cluster's secret seed of series hashes.
	HashSeed uint64
	// Unsigned takes fields like "1u". InfluxDB 1.8.10 as distributed refuses them.
	Unsigned bool
	// Workers is how many bodies are parsed at a time; more calls wait. Each
	// worker has its own memory of series.
	Workers int
	// MemoBytes bounds what all workers together remember of series.
	MemoBytes int
	// MaxColumns bounds the columns of one batch, counted over its tables. A
	// body with more different fields is refused as a whole.
	MaxColumns int
	// MaxPoints bounds the lines of a body, which is refused as a whole beyond.
	MaxPoints int
	// MaxFields and MaxTags bound one point, which is dropped beyond.
	MaxFields, MaxTags int
	// MaxErrorBytes bounds the text that a body's bad lines give.
	MaxErrorBytes int
}

// DefaultConfig gives the settings of a server, without a seed.
func DefaultConfig() Config {
	return Config{
		Workers:       runtime.GOMAXPROCS(0),
		MemoBytes:     128 << 20,
		MaxColumns:    128 << 10,
		MaxPoints:     1_000_000,
		MaxFields:     4096,
		MaxTags:       256,
		MaxErrorBytes: 1 << 20,
	}
}

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	switch {
	case c.Workers < 1:
		return fmt.Errorf("line protocol: %d workers: %w", c.Workers, model.ErrInvalid)
	case c.MemoBytes < 0:
		return fmt.Errorf("line protocol: memo of %d bytes: %w", c.MemoBytes, model.ErrInvalid)
	case c.MaxColumns < 1:
		return fmt.Errorf("line protocol: at most %d columns: %w", c.MaxColumns, model.ErrInvalid)
	case c.MaxPoints < 1:
		return fmt.Errorf("line protocol: at most %d points: %w", c.MaxPoints, model.ErrInvalid)
	case c.MaxFields < 1 || c.MaxTags < 1:
		return fmt.Errorf("line protocol: at most %d fields and %d tags: %w", c.MaxFields, c.MaxTags, model.ErrInvalid)
	case c.MaxErrorBytes < 1:
		return fmt.Errorf("line protocol: %d bytes of errors: %w", c.MaxErrorBytes, model.ErrInvalid)
	}
	return nil
}
