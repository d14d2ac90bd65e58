package parking

import (
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// Config bounds a Log. Beyond any bound nothing more is parked; what is there
// stays: it was acknowledged.
type Config struct {
	MaxBytes   int64         // of all files
	MaxAge     time.Duration // of the oldest batch
	MaxEntries int           // each takes about 150 bytes of memory
	FileBytes  int64         // a file that is larger is followed by the next
}

// DefaultConfig gives the settings of a server.
func DefaultConfig() Config {
	return Config{MaxBytes: 10 << 30, MaxAge: 7 * 24 * time.Hour, MaxEntries: 1_000_000, FileBytes: 64 << 20}
}

// Validate reports the first setting that cannot work.
func (c *Config) Validate() error {
	if c.MaxBytes < 1 || c.MaxAge <= 0 || c.MaxEntries < 1 || c.FileBytes < 1 {
		return fmt.Errorf("parking: a bound that is not positive: %w", model.ErrInvalid)
	}
	return nil
}
