package audit

import (
	"fmt"

	"github.com/varvedb/varve/model"
)

// Config is how much a Log keeps.
type Config struct {
	// MaxBytes bounds one file. The file is renamed when a line would go beyond it.
	MaxBytes int64
	// Keep is how many renamed files are kept: name.1, the newest, to name.Keep.
	Keep int
}

// DefaultConfig gives the settings of a server: half a million lines and more.
func DefaultConfig() Config { return Config{MaxBytes: 32 << 20, Keep: 4} }

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	switch {
	case c.MaxBytes < maxLine:
		return fmt.Errorf("audit: %d bytes: must be at least %d: %w", c.MaxBytes, maxLine, model.ErrInvalid)
	case c.Keep < 0:
		return fmt.Errorf("audit: keep %d files: must not be negative: %w", c.Keep, model.ErrInvalid)
	}
	return nil
}
