package rpc

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/varvedb/varve/model"
)

// Config is how a Server and a Pool behave.
type Config struct {
	// MaxFrameBytes bounds one message in either direction.
	MaxFrameBytes int
	// MaxInflightBytes bounds the requests that a Server works on at a time;
	// over it they are answered with model.ErrOverloaded.
	MaxInflightBytes int64
	// MaxConnections bounds the connections of a Server.
	MaxConnections int
	// MaxHandshakes bounds the connections that have not said who they are.
	// With one more the oldest of them is closed.
	MaxHandshakes int
	// HandshakeTimeout is how long a connection may take to say who it is.
	HandshakeTimeout time.Duration
	// KeepAlive is how often a stream that has nothing to send says that it is
	// there, and how often a Pool asks whether the other side is.
	KeepAlive time.Duration
	// Silence is after how long without a word the other side is given up.
	Silence time.Duration
	// Dial connects to an address; nil for TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// DefaultConfig gives the settings of a server that was told nothing.
func DefaultConfig() Config {
	return Config{
		MaxFrameBytes:    64 << 20,
		MaxInflightBytes: 512 << 20,
		MaxConnections:   2048,
		MaxHandshakes:    256,
		HandshakeTimeout: 5 * time.Second,
		KeepAlive:        time.Second,
		Silence:          3 * time.Second,
	}
}

// Validate reports the first setting that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.MaxFrameBytes < 1<<20 || c.MaxFrameBytes > 1<<30:
		return fmt.Errorf("rpc: frames of %d bytes: must be between 1 MiB and 1 GiB: %w", c.MaxFrameBytes, model.ErrInvalid)
	case c.MaxInflightBytes < int64(c.MaxFrameBytes):
		return fmt.Errorf("rpc: %d bytes in flight: less than one frame: %w", c.MaxInflightBytes, model.ErrInvalid)
	case c.MaxConnections < 1 || c.MaxHandshakes < 1:
		return fmt.Errorf("rpc: %d connections, %d handshakes: must be positive: %w", c.MaxConnections, c.MaxHandshakes, model.ErrInvalid)
	case c.HandshakeTimeout <= 0 || c.KeepAlive <= 0 || c.Silence <= c.KeepAlive:
		return fmt.Errorf("rpc: handshake %v, keep-alive %v, silence %v: must be positive, and silence the longer: %w",
			c.HandshakeTimeout, c.KeepAlive, c.Silence, model.ErrInvalid)
	}
	return nil
}
