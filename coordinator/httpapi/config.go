package httpapi

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/varvedb/varve/model"
)

// Config is how a Server behaves.
type Config struct {
	// MaxBodyBytes bounds a request's body on the wire, MaxUnpackedBytes a
	// compressed one after decompression.
	MaxBodyBytes     int64
	MaxUnpackedBytes int64
	// MaxInflightBytes bounds the bodies of all requests that are being read and
	// stored at a time; what is above is refused with 503 and Retry-After.
	MaxInflightBytes int64
	// MaxRowLimit bounds the rows of an answer that is not chunked; 0 is no bound.
	MaxRowLimit int
	// MaxConnections bounds the connections that are open at a time, and
	// MaxConnectionsOfOne those from one address; 0 is no bound.
	MaxConnections, MaxConnectionsOfOne int
	// ConcurrentWrites bounds the writes that are parsed and stored at a time, and
	// EnqueuedWrites those that wait for them, each for EnqueuedTimeout at most. 0
	// ConcurrentWrites is no bound but that of their bytes.
	ConcurrentWrites, EnqueuedWrites int
	EnqueuedTimeout                  time.Duration
	// Parsing is how many bodies are parsed at a time, as many as the Parser can.
	Parsing int
	// BodyTimeout is how long a client may take to send the next 16 KB of a body,
	// StallTimeout how long to take the next 32 KB of an answer.
	BodyTimeout  time.Duration
	StallTimeout time.Duration
	// LogStatuses are the statuses that the access log is for, as 200, 40x or 5xx;
	// none is all. LogPrefix begins its lines, and SuppressWriteLog leaves out
	// writes.
	LogStatuses      []string
	LogPrefix        string
	SuppressWriteLog bool
	// HeaderTimeout is how long a client may take to send a request's header.
	HeaderTimeout time.Duration
	// Realm is what clients without credentials are told that they are for.
	Realm string
	// PingAuth asks for credentials on /ping, /status and /health, too. DebugOpen
	// asks for none on /metrics and below /debug/, which are for administrators.
	// Neither has an effect while authentication is off.
	PingAuth  bool
	DebugOpen bool
	// AllowedOrigins are those whose pages may change something, beside the server's
	// own at an address; "*" is all.
	AllowedOrigins []string
	// ProfilesOff takes away what is below /debug/pprof.
	ProfilesOff bool
}

// DefaultConfig gives the settings of a server.
func DefaultConfig() Config {
	return Config{
		MaxBodyBytes:     25e6,
		MaxUnpackedBytes: 250e6,
		MaxInflightBytes: 512 << 20,
		MaxConnections:   8192,
		// Many clients may be behind one proxy: this leaves room for others, no more.
		MaxConnectionsOfOne: 4096,
		ConcurrentWrites:    4096,
		EnqueuedWrites:      4096,
		EnqueuedTimeout:     30 * time.Second,
		Parsing:             runtime.GOMAXPROCS(0),
		BodyTimeout:         10 * time.Second,
		StallTimeout:        60 * time.Second,
		HeaderTimeout:       10 * time.Second,
		Realm:               "InfluxDB",
	}
}

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	switch {
	case c.MaxBodyBytes < 1 || c.MaxUnpackedBytes < 1:
		return fmt.Errorf("http: bodies of %d and %d bytes: %w", c.MaxBodyBytes, c.MaxUnpackedBytes, model.ErrInvalid)
	case c.MaxInflightBytes < max(c.MaxBodyBytes, c.MaxUnpackedBytes):
		// Such a body would be refused for ever as if that could pass.
		return fmt.Errorf("http: %d bytes in flight are less than one body: %w", c.MaxInflightBytes, model.ErrInvalid)
	case c.MaxRowLimit < 0:
		return fmt.Errorf("http: a row limit of %d: %w", c.MaxRowLimit, model.ErrInvalid)
	case !validStatuses(c.LogStatuses):
		return fmt.Errorf("http: statuses %q: three characters each, as 200, 40x or 5xx: %w", c.LogStatuses, model.ErrInvalid)
	case c.MaxConnections < 0 || c.MaxConnectionsOfOne < 0 || c.ConcurrentWrites < 0 || c.EnqueuedWrites < 0 || c.Parsing < 1:
		return fmt.Errorf("http: a negative limit: %w", model.ErrInvalid)
	case c.StallTimeout <= 0 || c.HeaderTimeout <= 0 || c.BodyTimeout <= 0 || c.EnqueuedTimeout <= 0:
		return fmt.Errorf("http: a timeout that is not positive: %w", model.ErrInvalid)
	case strings.ContainsFunc(c.Realm, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }):
		return fmt.Errorf("http: a realm that cannot stand in a header: %w", model.ErrInvalid)
	}
	return nil
}
