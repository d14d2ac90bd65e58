package httpapi

import (
	"github.com/influxdata/influxql"
	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// make gives the query of a statement, if who asks may run it.
func (s *Server) make(c echo.Context, db string, stmt influxql.Statement) (*query.Query, error) {
	return s.parts.Queries.Make(s.asked(c, query.Request{Database: db}), stmt)
}

// run runs a query that has no rows, and gives how its statement ended.
func (s *Server) run(c echo.Context, q *query.Query) error {
	var end ending
	if err := s.parts.Queries.Execute(c.Request().Context(), q, &end); err != nil {
		return err
	}
	return end.err
}

// ending keeps why a statement failed.
type ending struct{ err error }

func (*ending) Begin(query.Statement) error { return nil }

func (*ending) Rows(*exec.Rows) error { return nil }

func (e *ending) End(o query.Outcome) error {
	e.err = o.Err
	return nil
}
