package httpapi

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/coordinator/audit"
	"github.com/varvedb/varve/model"
)

// What statements do is recorded where they run; here is recorded what is no
// statement.

// recordLogin records credentials that were refused.
func (s *Server) recordLogin(c echo.Context, err error) {
	name, anything := s.parts.Auth.Claims(c.Request())
	if anything && errors.Is(err, model.ErrUnauthenticated) {
		e := eventOf(c, "log in")
		e.User, e.Outcome, e.Anyone = name, "refused: "+err.Error(), true
		s.parts.Audit.Record(e)
	}
}

// recorded wraps the handler of a row that is for administrators: each request is
// recorded once it is answered, also where authentication is off. What is asked
// every few seconds for monitoring is not.
func (s *Server) recorded(a access, next echo.HandlerFunc) echo.HandlerFunc {
	if s.parts.Audit == nil || a != admins && a != debugs {
		return next
	}
	return func(c echo.Context) error {
		err := next(c)
		status := c.Response().Status
		if status == http.StatusUnauthorized {
			if _, anything := s.parts.Auth.Claims(c.Request()); anything {
				return err // recorded as a log-in that failed
			}
		}
		e := eventOf(c, "admin request")
		e.Statement = c.Request().Method + " " + uriText(c.Request().URL)
		e.Outcome = "ok"
		if status >= http.StatusBadRequest {
			e.Outcome = strconv.Itoa(status) + " " + http.StatusText(status)
		}
		e.Anyone = status == http.StatusUnauthorized || status == http.StatusForbidden || s.parts.Auth != nil && userOf(c) == nil
		s.parts.Audit.Record(e)
		return err
	}
}

// eventOf gives what a request says of an event.
func eventOf(c echo.Context, action string) audit.Event {
	e := audit.Event{Action: action, Address: c.Request().RemoteAddr, Request: c.Response().Header().Get(echo.HeaderXRequestID)}
	if u := userOf(c); u != nil {
		e.User = u.Name()
	}
	return e
}
