package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	idleTimeout    = 3 * time.Minute // above the usual interval of collectors
	maxHeaderBytes = 64 << 10
)

// AdminPrefix begins the paths that are for operators.
const AdminPrefix = "/varve/v1/"

// route is a path and what answers each method on it.
type route struct {
	path    string
	methods map[string]echo.HandlerFunc
}

// routes gives the router. A path that is not here is 404; it is not made
// similar to one that is.
func (s *Server) routes() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	metrics := echo.WrapHandler(promhttp.HandlerFor(s.parts.Registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}))
	all := []route{
		{"/write", map[string]echo.HandlerFunc{"POST": s.writeV1, "OPTIONS": empty}},
		{"/query", map[string]echo.HandlerFunc{"GET": s.query, "POST": s.query, "OPTIONS": empty}},
		{"/ping", map[string]echo.HandlerFunc{"GET": ping, "HEAD": ping}},
		{"/status", map[string]echo.HandlerFunc{"GET": ping, "HEAD": ping}},
		{"/health", map[string]echo.HandlerFunc{"GET": health}},
		{"/metrics", map[string]echo.HandlerFunc{"GET": metrics}},
		{"/api/v2/write", map[string]echo.HandlerFunc{"POST": s.writeV2}},
		{"/api/v2/query", map[string]echo.HandlerFunc{"POST": noFlux}},
	}
	allow := make(map[string]string)
	for _, r := range all {
		var names []string
		for _, m := range []string{"OPTIONS", "GET", "HEAD", "POST"} {
			if r.methods[m] != nil {
				names = append(names, m)
			}
		}
		allow[r.path] = strings.Join(names, ", ")
		for _, m := range []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PROPFIND", "PUT", "REPORT", "TRACE"} {
			h := r.methods[m]
			if h == nil {
				h = func(echo.Context) error { return echo.ErrMethodNotAllowed }
			} else {
				h = s.known(h)
			}
			e.Add(m, r.path, h)
		}
	}
	if s.parts.Admin != nil {
		e.Any(AdminPrefix+"*", echo.WrapHandler(s.parts.Admin))
	}
	e.HTTPErrorHandler = func(err error, c echo.Context) { s.unanswered(err, c, allow) }
	e.Use(s.observe)
	return e
}

// unanswered answers what no handler did.
func (s *Server) unanswered(err error, c echo.Context, allow map[string]string) {
	if c.Response().Committed {
		return
	}
	he, ok := err.(*echo.HTTPError) //nolint:errorlint // made by echo, not wrapped
	switch {
	case ok && he.Code == http.StatusNotFound:
		err = plain(c, http.StatusNotFound, "404 page not found")
	case ok && he.Code == http.StatusMethodNotAllowed:
		c.Response().Header().Set(echo.HeaderAllow, allow[c.Path()])
		err = plain(c, http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed))
	default:
		err = s.fail(c, err)
	}
	if err != nil {
		s.log.Debug("answer not sent", "error", err)
	}
}

// observe counts requests, sets the headers of every answer and turns a panic
// into a 500.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start, status := time.Now(), "aborted"
		defer func() {
			path := c.Path()
			if path == "" {
				path = "other"
			}
			s.metrics.requests.WithLabelValues(path, status).Inc()
			s.metrics.seconds.WithLabelValues(path).Observe(time.Since(start).Seconds())
		}()
		h := c.Response().Header()
		h["X-Influxdb-Version"] = []string{Version}
		h["X-Influxdb-Build"] = []string{Build}
		if err := s.recovered(next, c); err != nil {
			c.Error(err)
		}
		status = strconv.Itoa(c.Response().Status)
		return nil
	}
}

func (s *Server) recovered(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // a sentinel, passed as it is
			panic(p)
		}
		s.metrics.panics.Inc()
		s.log.Error("request panicked", "panic", fmt.Sprint(p), "path", c.Path(), "stack", string(debug.Stack()))
		if c.Response().Committed {
			// The client must not take half an answer for a whole one.
			panic(http.ErrAbortHandler)
		}
		err = fmt.Errorf("internal error")
	}()
	return next(c)
}

// known wraps the handler of a path that exists: request ids and CORS.
func (s *Server) known(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		id := s.ids.of(r)
		h.Set(echo.HeaderXRequestID, id)
		h.Set("Request-Id", id)
		if origin := r.Header.Get(echo.HeaderOrigin); origin != "" {
			h.Set(echo.HeaderAccessControlAllowOrigin, headerText(origin))
			h.Set(echo.HeaderAccessControlAllowMethods, "DELETE, GET, OPTIONS, POST, PUT")
			h.Set(echo.HeaderAccessControlAllowHeaders, "Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token, X-HTTP-Method-Override")
			h.Set(echo.HeaderAccessControlExposeHeaders, "Date, X-InfluxDB-Version, X-InfluxDB-Build")
		}
		return next(c)
	}
}

// empty answers OPTIONS.
func empty(c echo.Context) error { return c.NoContent(http.StatusOK) }

func ping(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderContentType, accepted(c.Request()).contentType)
	switch c.QueryParam("verbose") {
	case "", "0", "false":
		return c.NoContent(http.StatusNoContent)
	}
	return c.Blob(http.StatusOK, accepted(c.Request()).contentType, []byte(`{"version":"`+Version+`"}`))
}

func health(c echo.Context) error {
	return c.Blob(http.StatusOK, accepted(c.Request()).contentType,
		[]byte(`{"checks":[],"message":"ready for queries and writes","name":"influxdb","status":"pass","version":"`+Version+`"}`))
}

// noFlux answers as InfluxDB does with Flux switched off.
func noFlux(c echo.Context) error {
	return plain(c, http.StatusForbidden, "Flux query service disabled. Verify flux-enabled=true in the [http] section of the InfluxDB config.")
}
