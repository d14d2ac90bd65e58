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

// route is a path, whom it answers, and what answers each method on it. OPTIONS
// are for anyone: browsers send no credentials with them.
type route struct {
	path    string
	access  access
	methods handlers
}

// handlers is what answers each method.
type handlers map[string]echo.HandlerFunc

// table gives all routes.
func (s *Server) table() []route {
	metrics := echo.WrapHandler(promhttp.HandlerFor(s.parts.Registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}))
	bucket := "/api/v2/buckets/:bucket"
	return []route{
		{"/write", known, handlers{"POST": s.ownPages(s.writeV1), "OPTIONS": empty}},
		{"/query", known, handlers{"GET": s.query, "POST": s.query, "OPTIONS": empty}},
		{"/ping", pings, handlers{"GET": ping, "HEAD": ping}},
		{"/status", pings, handlers{"GET": ping, "HEAD": ping}},
		{"/health", pings, handlers{"GET": health}},
		{"/metrics", monitors, handlers{"GET": metrics}},
		{"/livez", anyone, handlers{"GET": live, "HEAD": live}},
		{"/readyz", anyone, handlers{"GET": s.ready, "HEAD": s.ready}},
		{"/debug/vars", monitors, handlers{"GET": s.vars}},
		{"/debug/requests", debugs, handlers{"GET": s.requests}},
		{"/debug/pprof", debugs, handlers{"GET": s.profile}},
		{"/debug/pprof/*", debugs, handlers{"GET": s.profile}},
		{"/debug/pprof/symbol", debugs, handlers{"GET": s.symbol, "POST": s.symbol}},
		{"/api/v1/prom/write", known, handlers{"POST": s.ownPages(s.promWrite)}},
		{"/api/v1/prom/read", known, handlers{"POST": s.promRead}},
		{"/api/v2/write", known, handlers{"POST": s.ownPages(s.writeV2)}},
		{"/api/v2/query", known, handlers{"POST": noFlux}},
		{"/api/v2/delete", known, handlers{"POST": s.deleteV2}},
		{"/api/v2/buckets", known, handlers{"GET": s.listBuckets, "POST": s.createBucket}},
		{bucket, known, handlers{"GET": s.getBucket, "PATCH": s.updateBucket, "DELETE": s.deleteBucket}},
		{bucket + "/labels", anyone, handlers{"GET": s.noBuckets("labels"), "POST": s.noBuckets("labels")}},
		{bucket + "/labels/:id", anyone, handlers{"DELETE": s.noBuckets("labels")}},
		{bucket + "/members", anyone, handlers{"GET": s.noBuckets("members"), "POST": s.noBuckets("members")}},
		{bucket + "/members/:id", anyone, handlers{"DELETE": s.noBuckets("members")}},
		{bucket + "/owners", anyone, handlers{"GET": s.noBuckets("owners"), "POST": s.noBuckets("owners")}},
		{bucket + "/owners/:id", anyone, handlers{"DELETE": s.noBuckets("owners")}},
	}
}

// routes gives the router. A path that is not in the table is 404; it is not made
// similar to one that is.
func (s *Server) routes() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	allow := make(map[string]string)
	for _, r := range s.table() {
		var names []string
		for _, m := range []string{"OPTIONS", "GET", "HEAD", "POST", "PATCH", "DELETE"} {
			if r.methods[m] != nil {
				names = append(names, m)
			}
		}
		allow[r.path] = strings.Join(names, ", ")
		for _, m := range []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PROPFIND", "PUT", "REPORT", "TRACE"} {
			h := r.methods[m]
			switch {
			case h == nil:
				h = func(echo.Context) error { return echo.ErrMethodNotAllowed }
			case m == "OPTIONS":
				h = s.identified(shared(h))
			default:
				h = s.identified(shared(s.guarded(r.access, h)))
			}
			e.Add(m, r.path, h)
		}
	}
	if s.parts.Admin != nil {
		e.Any(AdminPrefix+"*", s.identified(s.guarded(admins, s.ownPages(echo.WrapHandler(s.parts.Admin)))))
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
		path := c.Path()
		if path == "" {
			path = "other"
		}
		active := s.metrics.active.WithLabelValues(path)
		active.Inc()
		defer func() {
			active.Dec()
			s.metrics.requests.WithLabelValues(path, status).Inc()
			s.metrics.seconds.WithLabelValues(path).Observe(time.Since(start).Seconds())
			s.metrics.answered.WithLabelValues(path).Add(float64(c.Response().Size))
			s.access.log(c, start)
		}()
		h := c.Response().Header()
		h["X-Influxdb-Version"] = []string{Version}
		h["X-Influxdb-Build"] = []string{Build}
		// What people have stored comes back in answers: none is a page.
		h[echo.HeaderXContentTypeOptions] = []string{"nosniff"}
		s.pace(c)
		if tracer := s.parts.Tracer; tracer != nil && traced(path) {
			ctx, span := tracer.Request(c.Request().Context(), c.Request().Header, c.Request().Method+" "+path)
			c.SetRequest(c.Request().WithContext(ctx))
			defer func() {
				span.Int("http.response.status_code", c.Response().Status)
				span.Text("request.id", func() string { return h.Get("Request-Id") })
				span.End(nil)
			}()
		}
		if err := s.recovered(next, c); err != nil {
			c.Error(err)
		}
		status = strconv.Itoa(c.Response().Status)
		return nil
	}
}

// traced reports whether requests for a path are traced: those for points.
func traced(path string) bool {
	return path == "/write" || path == "/query" || strings.HasPrefix(path, "/api/")
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

// identified gives requests their ids.
func (s *Server) identified(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id, h := s.ids.of(c.Request()), c.Response().Header()
		h.Set(echo.HeaderXRequestID, id)
		h.Set("Request-Id", id)
		return next(c)
	}
}

// shared lets pages of other servers read the answers: CORS.
func shared(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		if origin := c.Request().Header.Get(echo.HeaderOrigin); origin != "" {
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

// vars answers what the process says of itself in InfluxDB's words.
func (s *Server) vars(c echo.Context) error {
	if s.parts.Vars == nil {
		return echo.ErrNotFound
	}
	s.parts.Vars.ServeHTTP(c.Response(), c.Request())
	return nil
}

// noFlux answers as InfluxDB does with Flux switched off.
func noFlux(c echo.Context) error {
	return plain(c, http.StatusForbidden, "Flux query service disabled. Verify flux-enabled=true in the [http] section of the InfluxDB config.")
}
