package query

import (
	"github.com/influxdata/influxql"
)

// User is who sends a request, with what he may do at that moment.
type User interface {
	Name() string
	// Admin reports whether he may do everything.
	Admin() bool
	// May reports whether he has a privilege, READ or WRITE, on a database, there
	// or not. An administrator may all.
	May(database string, p influxql.Privilege) bool
}

// Nobody is the User of requests while authentication is on and there is no
// administrator whom they could come from. He may do nothing, but for creating
// the first administrator where Founds is set.
type Nobody struct{ Founds bool }

// Name gives "": he has none.
func (Nobody) Name() string { return "" }

// Admin gives false.
func (Nobody) Admin() bool { return false }

// May gives false.
func (Nobody) May(string, influxql.Privilege) bool { return false }
