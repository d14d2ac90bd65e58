package auth

import (
	"fmt"

	"github.com/varvedb/varve/model"
)

// minSecretBytes is the least length of Config.SharedSecret: that of the hash which
// it keys, so that guessing it is no easier than guessing the hash.
const minSecretBytes = 32

// Config is how an Authenticator behaves.
type Config struct {
	// SharedSecret is what JSON web tokens are signed with; "" is to take none.
	SharedSecret string
}

// DefaultConfig gives the settings of a server.
func DefaultConfig() Config { return Config{} }

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	if n := len(c.SharedSecret); n > 0 && n < minSecretBytes {
		return fmt.Errorf("auth: a shared secret of %d bytes, at least %d are needed: %w", n, minSecretBytes, model.ErrInvalid)
	}
	return nil
}
