package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/influxdata/influxql"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/audit"
	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/internal/tracing"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
)

// Version is the version that clients are told: what they ask about is which
// InfluxDB they talk to.
const Version = "1.8.10"

// Build names the server in X-Influxdb-Build.
const Build = "Varve"

// Parser turns bodies into batches; a *lineprotocol.Parser.
type Parser interface {
	Parse(body []byte, opt lineprotocol.Options) (*lineprotocol.Result, error)
}

// Writer stores batches; a *coordinator.Writer.
type Writer interface {
	Write(ctx context.Context, r coordinator.WriteRequest) error
}

// Queries runs queries; a *query.Executor.
type Queries interface {
	Parse(r query.Request) (*query.Query, error)
	Make(r query.Request, statements ...influxql.Statement) (*query.Query, error)
	Points(r query.Request, p query.Points) (*query.Query, error)
	Execute(ctx context.Context, q *query.Query, sink query.Sink) error
}

// Databases looks databases up; a query.Catalog.
type Databases interface {
	Databases(ctx context.Context) ([]*query.Database, error)
	Database(ctx context.Context, name string) (*query.Database, error)
}

// Registry is where metrics are registered and read.
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// Parts is what a Server puts between the clients and itself.
type Parts struct {
	Parser    Parser
	HashSeed  uint64 // of series that do not come through the Parser
	Writer    Writer
	Queries   Queries
	Databases Databases
	Auth      Authenticator // nil: authentication is off
	TLS       *tls.Config   // nil: TCP connections are plain
	Memory    Memory        // nil: there is enough
	Quotas    Quotas        // nil: nobody has any
	Admin     http.Handler  // what is below AdminPrefix; nil: nothing
	Vars      http.Handler  // /debug/vars; nil: nothing
	Audit     *audit.Log    // nil: nothing is recorded
	Registry  Registry
	AccessLog io.Writer       // nil: there is none
	Tracer    *tracing.Tracer // nil: nothing is traced
	Log       *slog.Logger
	Version   string // of this software, for /metrics

	CommandLine []string     // of this process, without secrets, for /debug/pprof/cmdline
	Elsewhere   func() error // why clients should go to another node, for /readyz; nil: they should not
}

// loggedLines is how many requests that failed, and how many that were refused in
// part, are logged in each loggedEvery. A full disk or a full queue fails thousands
// in a second, all for one reason.
const (
	loggedLines = 10
	loggedEvery = 10 * time.Second
)

// Server answers HTTP requests. Serve is called once for each listener, Shutdown
// once.
type Server struct {
	cfg     Config
	parts   Parts
	log     *slog.Logger
	metrics *metrics
	budget  *budget
	quotas  Quotas
	writes  *turns // that are parsed and stored
	parsing *turns // of those, the ones that are parsed
	ids     idSource
	echo    *echo.Echo
	http    *http.Server

	failures *pace.Lines // of requests
	refusals *pace.Lines // of lines and points
	access   *accessLog  // nil: there is none

	bodies  buffers
	unzips  sync.Pool // of *gzip.Reader
	zips    sync.Pool // of *gzip.Writer
	buffers sync.Pool // of *[]byte

	profiles profiles
	tallies  tallies
	draining chan struct{} // closed when Shutdown begins

	background sync.WaitGroup     // queries with async=true
	base       context.Context    // of those; ends when Shutdown runs out of time
	cancel     context.CancelFunc // ends base
}

// New gives a Server that does not listen yet.
func New(cfg Config, parts Parts) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := newMetrics(parts.Registry, parts.Version)
	s := &Server{
		cfg: cfg, parts: parts, log: parts.Log, metrics: m, budget: newBudget(cfg.MaxInflightBytes, parts.Memory, m),
		failures: pace.NewLines(parts.Log, loggedLines, loggedEvery), refusals: pace.NewLines(parts.Log, loggedLines, loggedEvery),
	}
	if s.quotas = parts.Quotas; s.quotas == nil {
		s.quotas = unbounded{}
	}
	s.writes = &turns{free: cfg.ConcurrentWrites, most: cfg.EnqueuedWrites, patience: cfg.EnqueuedTimeout, late: cfg.EnqueuedTimeout}
	if cfg.ConcurrentWrites == 0 {
		s.writes.free = math.MaxInt
	}
	s.parsing = &turns{free: cfg.Parsing, most: math.MaxInt, patience: parsePatience, late: lateAfter}
	s.profiles, s.draining = newProfiles(), make(chan struct{})
	s.base, s.cancel = context.WithCancel(context.Background())
	if parts.AccessLog != nil {
		s.access = newAccessLog(cfg, parts.AccessLog, m.unlogged)
	}
	s.echo = s.routes()
	s.http = &http.Server{
		Handler:           s.echo,
		ReadHeaderTimeout: cfg.HeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         newConnections(cfg.MaxConnections, cfg.MaxConnectionsOfOne, m).changed,
		ErrorLog:          slog.NewLogLogger(parts.Log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Handler gives what answers requests, for tests and for other listeners.
func (s *Server) Handler() http.Handler { return s.echo }

// Serve answers requests on l until Shutdown; it returns nil then.
func (s *Server) Serve(l net.Listener) error {
	if s.parts.TLS != nil && l.Addr().Network() == "tcp" {
		l = tls.NewListener(l, s.parts.TLS)
	}
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve http on %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown takes no more requests and returns when those that run are
// answered. When ctx ends before, they are cut off and ctx's error is given.
func (s *Server) Shutdown(ctx context.Context) error {
	close(s.draining)
	err := s.http.Shutdown(ctx)
	done := make(chan struct{})
	go func() {
		s.background.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.cancel()
	<-done // its queries end soon: their context has
	s.access.close()
	if err != nil {
		_ = s.http.Close() // the first error says more
		return fmt.Errorf("shut down http: %w", err)
	}
	return nil
}
