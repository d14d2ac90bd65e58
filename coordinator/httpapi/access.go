package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// Authenticator tells who sends a request; an *auth.Authenticator.
//
// An error of kind model.ErrUnauthenticated is certain. Where who asks cannot be
// told for now it is model.ErrUnavailable or model.ErrOverloaded: collectors throw
// away what is answered by a 401.
type Authenticator interface {
	Authenticate(r *http.Request) (query.User, error)
}

// access is whom a path answers while authentication is on. Nobody is asked who
// he is while it is off.
type access int

// Every row of the table of routes has one of these; the zero access is a mistake.
const (
	_      access = iota
	anyone        // whoever asks
	known         // every user; what he may do is for the handler to decide, with userOf
	admins        // administrators
	pings         // whoever asks, unless Config.PingAuth makes it known
	debugs        // administrators, unless Config.DebugOpen makes it anyone
)

// rule gives the access that a row means under the settings.
func (s *Server) rule(a access) access {
	switch {
	case s.parts.Auth == nil:
		return anyone
	case a == pings && s.cfg.PingAuth:
		return known
	case a == pings, a == debugs && s.cfg.DebugOpen:
		return anyone
	case a == debugs:
		return admins
	}
	return a
}

// guarded wraps the handler of a row: this is the only place where requests are
// let in.
func (s *Server) guarded(a access, next echo.HandlerFunc) echo.HandlerFunc {
	rule := s.rule(a)
	if rule == anyone {
		return next
	}
	return func(c echo.Context) error {
		u, err := s.parts.Auth.Authenticate(c.Request())
		if err != nil {
			return s.fail(c, err)
		}
		if rule == admins && !u.Admin() {
			return s.fail(c, errNotAdmin)
		}
		c.Set(userKey, u)
		return next(c)
	}
}

var errNotAdmin = &model.Error{Kind: model.ErrForbidden, Text: "error authorizing admin access"}

const userKey = "user"

// userOf gives who sends a request, nil while authentication is off.
func userOf(c echo.Context) query.User {
	u, _ := c.Get(userKey).(query.User)
	return u
}
