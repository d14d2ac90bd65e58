package query

import (
	"time"

	"github.com/varvedb/varve/query/exec"
)

// Sink takes the results of a request. For each statement comes Begin, any
// number of Rows, then End, in order of the statements; one goroutine calls. An
// error of the sink ends the request: the client is gone.
type Sink interface {
	// Begin starts the result of a statement.
	Begin(s Statement) error
	// Rows gives a piece of a series. It may be used until Rows returns.
	Rows(r *exec.Rows) error
	// End finishes the result.
	End(o Outcome) error
}

// Statement is what a sink knows of a statement before its result.
type Statement struct {
	ID int
	// Partial is set where InfluxDB marks every piece of the result but the last
	// as partial when it sends pieces: for SELECT, SHOW SERIES and SHOW FIELD KEYS.
	Partial bool
	// Whole is set where InfluxDB sends all series of the result in one piece,
	// also when it sends pieces: for what it has in its metadata.
	Whole bool
	// Location is the time zone in which times are shown; nil for UTC.
	Location *time.Location
	// Ended gives why the request is to end, or nil. A sink that is long at a
	// piece asks for it, and ends with it.
	Ended func() error
}

// Outcome is how a statement ended.
type Outcome struct {
	// Partial is set when rows may be missing though Err is nil; Messages say
	// why. Only a request with Partial gets such an answer.
	Partial  bool
	Messages []Message
	Err      error // nil, or why there are no more rows
}

// Message is a remark beside a result.
type Message struct {
	Level, Text string
}
