package httpapi

import (
	"context"
	"errors"
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
	// Renew gives u with the rights that he has after every change made before the
	// call, on any node.
	Renew(ctx context.Context, u query.User) (query.User, error)
	// Claims gives the name of the user whom r says that it comes from, if any, and
	// whether it says anything.
	Claims(r *http.Request) (name string, anything bool)
}

// access is whom a path answers while authentication is on. Nobody is asked who
// he is while it is off.
type access int

// Every row of the table of routes has one of these; the zero access is a mistake.
const (
	_        access = iota
	anyone          // whoever asks
	known           // every user; what he may do is for the handler to decide, with allowed
	admins          // administrators
	monitors        // administrators and tokens for it, unless Config.DebugOpen makes it anyone
	pings           // whoever asks, unless Config.PingAuth makes it known
	debugs          // administrators, unless Config.DebugOpen makes it anyone
)

// rule gives the access that a row means under the settings.
func (s *Server) rule(a access) access {
	switch {
	case s.parts.Auth == nil:
		return anyone
	case a == pings && s.cfg.PingAuth:
		return known
	case a == pings, (a == debugs || a == monitors) && s.cfg.DebugOpen:
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
		return s.recorded(a, next)
	}
	return s.recorded(a, func(c echo.Context) error {
		u, err := s.parts.Auth.Authenticate(c.Request())
		if err != nil {
			s.recordLogin(c, err)
			return s.fail(c, err)
		}
		c.Set(userKey, u)
		if err := s.allowed(c, rule.check); err != nil {
			return s.fail(c, err)
		}
		return next(c)
	})
}

// check is the part of a rule that needs no more than the user.
func (a access) check(u query.User) error {
	if a == known || u.Admin() {
		return nil
	}
	if m, ok := u.(interface{ Monitors() bool }); ok && a == monitors && m.Monitors() {
		return nil
	}
	return errNotAdmin
}

// allowed gives what decide says of who sends a request. What it forbids it is asked
// again, with his rights of now: they may have grown on another node a moment ago,
// and collectors throw away what is answered by a 403.
func (s *Server) allowed(c echo.Context, decide func(query.User) error) error {
	u := userOf(c)
	err := decide(u)
	if u == nil || !errors.Is(err, model.ErrForbidden) {
		return err
	}
	if u, err = s.renew(c); err != nil {
		return err
	}
	return decide(u)
}

// renew gives who sends a request with his rights of now.
func (s *Server) renew(c echo.Context) (query.User, error) {
	if userOf(c) == nil {
		return nil, nil
	}
	u, err := s.parts.Auth.Renew(c.Request().Context(), userOf(c))
	if err == nil {
		c.Set(userKey, u)
	}
	return u, err
}

var errNotAdmin = &model.Error{Kind: model.ErrForbidden, Text: "error authorizing admin access"}

const userKey = "user"

// userOf gives who sends a request, nil while authentication is off.
func userOf(c echo.Context) query.User {
	u, _ := c.Get(userKey).(query.User)
	return u
}
