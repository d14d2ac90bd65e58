package httpapi

import (
	"errors"
	"fmt"

	"github.com/influxdata/influxql"
	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// mayWrite fails where the request cannot write to a database, before its body is
// read: there is no such database, or who asks may not. The order is InfluxDB's.
// What a statement reads and writes package query decides.
func (s *Server) mayWrite(c echo.Context, db string) error {
	if db == "" {
		return invalid("database is required")
	}
	_, err := s.parts.Databases.Database(c.Request().Context(), db)
	if errors.Is(err, model.ErrNotFound) {
		return &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("database not found: %q", db)}
	} else if err != nil {
		return err
	}
	return s.allowed(c, func(u query.User) error {
		switch {
		case u == nil || u.May(db, influxql.WritePrivilege):
			return nil
		case u.Name() == "":
			return forbidden("user is required to write to database %q", db)
		}
		return forbidden("%q user is not authorized to write to database %q", u.Name(), db)
	})
}

func forbidden(format string, args ...any) error {
	return &model.Error{Kind: model.ErrForbidden, Text: fmt.Sprintf(format, args...)}
}
