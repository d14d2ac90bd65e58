package model

import "errors"

// The kinds of error. Callers test them with errors.Is; the text of an error
// is for people. Each maps to one HTTP status and one rpc code.
var (
	ErrInvalid         = errors.New("invalid")                    // the caller's fault: 400
	ErrUnauthenticated = errors.New("unauthenticated")            // not known who asks: 401
	ErrForbidden       = errors.New("forbidden")                  // known who asks, and he may not: 403
	ErrNotFound        = errors.New("not found")                  // 404 where InfluxDB says so
	ErrConflict        = errors.New("conflict")                   // exists and differs, or lost a race
	ErrTooLarge        = errors.New("too large")                  // over a limit on size: 413 or 400
	ErrNotSupported    = errors.New("not supported yet")          // known, but of a later version
	ErrUnavailable     = errors.New("unavailable")                // passes by itself: 503, never 4xx
	ErrOverloaded      = errors.New("overloaded")                 // admission refused: 503 with Retry-After
	ErrNeedKeys        = errors.New("need series keys")           // the owner lacks keys: send again with all
	ErrCorrupt         = errors.New("corrupt")                    // a checksum or a bound failed
	ErrClosed          = errors.New("closed")                     // the thing was closed
	ErrReadOnly        = errors.New("shard takes no more writes") // after a failed sync or a full disk
	ErrInterrupted     = errors.New("query interrupted")          // killed, or the client went away
	ErrBehind          = errors.New("replica is behind")          // it cannot prove that it holds all: ask another owner
	ErrMoved           = errors.New("owners have changed")        // the sender knows another set of owners: read the metadata
	ErrTrimmed         = errors.New("trimmed")                    // the log no longer has it
)

// Error is an error with a kind for programs and a text for people. The text
// is complete: the kind is not added to it, since clients of InfluxDB compare
// whole texts.
type Error struct {
	Kind error // one of the kinds above
	Text string
}

func (e *Error) Error() string { return e.Text }

// Unwrap gives the kind, so errors.Is finds it.
func (e *Error) Unwrap() error { return e.Kind }
