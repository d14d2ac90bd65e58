package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/model"
)

// maxProfile bounds how long one profile is taken.
const maxProfile = time.Minute

// profiles lets one request at a time take profiles: they cost all others time.
type profiles struct{ taking chan struct{} }

func newProfiles() profiles { return profiles{taking: make(chan struct{}, 1)} }

// profile answers below /debug/pprof, as InfluxDB does with net/http/pprof.
func (s *Server) profile(c echo.Context) error {
	name := c.Param("*")
	switch {
	case s.cfg.ProfilesOff:
		return echo.ErrNotFound
	case name == "cmdline":
		return plain(c, http.StatusOK, strings.Join(s.parts.CommandLine, "\x00"))
	case name == "":
		pprof.Index(c.Response(), c.Request())
		return nil
	}
	select {
	case s.profiles.taking <- struct{}{}:
		defer func() { <-s.profiles.taking }()
	default:
		return s.failWith(c, http.StatusTooManyRequests, "another profile is being taken")
	}
	ctx, cancel := s.untilDrain(c.Request().Context())
	defer cancel()
	c.SetRequest(c.Request().WithContext(ctx))
	if name == "all" {
		return s.archive(c)
	}
	if err := boundSeconds(c.Request()); err != nil {
		return s.fail(c, err)
	}
	switch name {
	case "profile":
		pprof.Profile(c.Response(), c.Request())
	case "trace":
		pprof.Trace(c.Response(), c.Request())
	default:
		pprof.Handler(name).ServeHTTP(c.Response(), c.Request())
	}
	return nil
}

// untilDrain gives a context that also ends when the server stops: a profile would
// hold that up for as long as it takes.
func (s *Server) untilDrain(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.draining:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// symbol tells the tool that shows profiles which functions are where.
func (s *Server) symbol(c echo.Context) error {
	if s.cfg.ProfilesOff {
		return echo.ErrNotFound
	}
	pprof.Symbol(c.Response(), c.Request())
	return nil
}

// boundSeconds refuses a request for a profile that takes too long.
func boundSeconds(r *http.Request) error {
	if seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64); err == nil && !(seconds <= maxProfile.Seconds()) {
		return tooLong
	}
	return nil
}

var tooLong = &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("a profile may take %s at most", maxProfile)}
