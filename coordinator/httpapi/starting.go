package httpapi

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// Port is a listener that can be lent: a *net.TCPListener or a *net.UnixListener.
type Port interface {
	net.Listener
	SetDeadline(t time.Time) error
}

// Starting answers on the ports of a server that still opens what it has: that it
// lives, that it is not ready, and to all else that it may be asked again soon.
// Clients then try again; without an answer they would hang.
type Starting struct {
	http    *http.Server
	tls     *tls.Config
	ports   []*lent
	serving sync.WaitGroup
}

// NewStarting gives a Starting under the bounds of cfg. secure is for TCP; nil
// leaves it plain.
func NewStarting(cfg Config, secure *tls.Config, log *slog.Logger) *Starting {
	own := newMetrics(prometheus.NewRegistry(), "") // the server's will be registered
	s := &Starting{tls: secure, http: &http.Server{
		Handler:        http.HandlerFunc(starting),
		ReadTimeout:    cfg.HeaderTimeout,
		WriteTimeout:   cfg.HeaderTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ConnState:      newConnections(cfg.MaxConnections, cfg.MaxConnectionsOfOne, own).changed,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	s.http.SetKeepAlivesEnabled(false) // the next request is for the server
	return s
}

// Serve begins to answer on p, until Stop.
func (s *Starting) Serve(p Port) {
	port := &lent{Port: p}
	s.ports = append(s.ports, port)
	l := net.Listener(port)
	if s.tls != nil && p.Addr().Network() == "tcp" {
		l = tls.NewListener(l, s.tls)
	}
	s.serving.Go(func() { _ = s.http.Serve(l) }) // the server that comes next meets the same error
}

// Stop takes no more connections and leaves the ports open for who serves them
// next. Those that wait there are his. It is safe to call twice.
func (s *Starting) Stop() {
	for _, p := range s.ports {
		p.Close()
	}
	s.serving.Wait()
	for _, p := range s.ports {
		_ = p.SetDeadline(time.Time{}) // fails for a port that is closed, which its server tells
	}
	s.ports = nil
}

// Close is Stop, and cuts off the connections that have not asked anything yet.
func (s *Starting) Close() error {
	s.Stop()
	return s.http.Close()
}

// starting answers a request.
func starting(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Influxdb-Version"], h["X-Influxdb-Build"] = []string{Version}, []string{Build}
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	const why = "starting"
	status, contentType, body := http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte(why+"\n")
	switch r.URL.Path {
	case "/livez":
		status, body = http.StatusOK, []byte("ok\n")
	case "/readyz":
	default:
		f := accepted(r)
		h.Set("X-Influxdb-Error", why)
		contentType, body = f.contentType, f.errorBody(why, pretty(r))
	}
	if status == http.StatusServiceUnavailable {
		h.Set(echo.HeaderRetryAfter, retryAfter)
	}
	h.Set(echo.HeaderContentType, contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs none
}

// lent is a port that stays open when it is closed.
type lent struct {
	Port
	back atomic.Bool
}

// Accept implements net.Listener.
func (l *lent) Accept() (net.Conn, error) {
	c, err := l.Port.Accept()
	if err != nil && l.back.Load() {
		return nil, net.ErrClosed
	}
	return c, err
}

// Close ends Accept.
func (l *lent) Close() error {
	l.back.Store(true)
	return l.SetDeadline(time.Unix(1, 0))
}
