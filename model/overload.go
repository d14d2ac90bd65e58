package model

import "time"

// Overload is an error of kind ErrOverloaded that knows when the same request
// may succeed.
type Overload struct {
	Text  string
	After time.Duration
}

func (e *Overload) Error() string { return e.Text }

// RetryAfter gives the time that clients are told to wait.
func (e *Overload) RetryAfter() time.Duration { return e.After }

// Unwrap gives the kind, so errors.Is finds it.
func (e *Overload) Unwrap() error { return ErrOverloaded }
