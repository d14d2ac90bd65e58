package wal

import (
	"fmt"
	"log/slog"

	"github.com/varvedb/varve/model"
)

// Config says how a log behaves.
type Config struct {
	// FileBytes is the size from which a file is followed by a new one. What
	// is trimmed goes by whole files.
	FileBytes int64
	// SeriesPerFile bounds the set of series whose key is known to be in the
	// file, 21 to 43 bytes each. Over it the set starts anew
	// and keys are written again.
	SeriesPerFile int
	// Skip is asked by Open for each batch; one for which it is true is not
	// decoded and not handed on: it is kept only for others. Nil: none.
	Skip func(FileID, model.Version) bool

	Metrics *Metrics     // nil: counted, but nowhere to be seen
	Logger  *slog.Logger // nil: silent
}

// maxFileBytes keeps offsets in a file, with one batch on top, below 4 GiB.
const maxFileBytes = 1 << 30

// DefaultConfig gives files of 64 MB: some 40 million values of a host's
// metrics, and a fraction of a second to replay.
func DefaultConfig() Config {
	return Config{FileBytes: 64 << 20, SeriesPerFile: 1 << 18}
}

// Validate reports the first bad value.
func (c Config) Validate() error {
	switch {
	case c.FileBytes < fileHeaderBytes || c.FileBytes > maxFileBytes:
		return fmt.Errorf("log file size of %d bytes, not %d to %d: %w", c.FileBytes, fileHeaderBytes, maxFileBytes, model.ErrInvalid)
	case c.SeriesPerFile < 1:
		return fmt.Errorf("log with room for %d series per file: %w", c.SeriesPerFile, model.ErrInvalid)
	}
	return nil
}
