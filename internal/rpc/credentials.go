package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/varvedb/varve/model"
)

// authInfo is what the handshake of a connection found out.
type authInfo struct {
	credentials.CommonAuthInfo
	caller Caller
}

// AuthType implements credentials.AuthInfo.
func (*authInfo) AuthType() string { return "varve" }

// noInfo has the parts of credentials.TransportCredentials that say nothing.
type noInfo struct{}

func (noInfo) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "varve"}
}
func (noInfo) OverrideServerName(string) error { return nil }

// security is what is told to gRPC, which checks it for its own credentials.
var security = credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}

// serverCredentials opens the connections of a Server.
type serverCredentials struct {
	noInfo
	cfg     Config
	self    Identity
	tls     *TLS
	log     *slog.Logger
	metrics *serverMetrics

	mu   sync.Mutex
	said map[string]time.Time // when a reason was last logged
}

func newServerCredentials(cfg Config, self Identity, t *TLS, log *slog.Logger, m *serverMetrics) *serverCredentials {
	return &serverCredentials{cfg: cfg, self: self, tls: t, log: log, metrics: m, said: make(map[string]time.Time)}
}

// Clone implements credentials.TransportCredentials.
func (s *serverCredentials) Clone() credentials.TransportCredentials { return s }

// ClientHandshake implements credentials.TransportCredentials.
func (*serverCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are a server's")
}

// ServerHandshake opens a connection or says why not. gRPC has set a deadline
// on it and closes it after an error.
func (s *serverCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, caller, reason, err := s.open(raw)
	if err != nil {
		s.refuse(reason, raw.RemoteAddr(), err)
		return nil, nil, err
	}
	return conn, &authInfo{CommonAuthInfo: security, caller: caller}, nil
}

// open gives the connection and the caller, or an error and which of the few
// reasons that are counted it has.
func (s *serverCredentials) open(raw net.Conn) (conn net.Conn, from Caller, reason string, err error) {
	conn = raw
	var secured *tls.Conn
	if s.tls != nil {
		secured = tls.Server(raw, s.tls.Server)
		if err := secured.Handshake(); err != nil {
			return nil, from, silent(err, "tls"), err
		}
		conn = secured
	}
	b, err := readGreeting(conn)
	if err != nil {
		if errors.Is(err, model.ErrNotSupported) {
			return nil, from, "format", errors.Join(err, s.answer(conn, &welcome{reason: err.Error()}))
		}
		return nil, from, silent(err, "garbage"), err
	}
	h, err := decodeHello(b)
	if err != nil {
		return nil, from, "garbage", err
	}
	w := welcome{from: s.self}
	if w.format, err = common(h.oldest, h.newest); err != nil {
		reason = "format"
	} else if reason, err = s.check(&h, secured); err == nil {
		err = established(raw, s.cfg.MaxConnections)
		reason = "connections"
	}
	if err != nil {
		w = welcome{reason: err.Error()}
		if answerErr := s.answer(conn, &w); answerErr != nil {
			err = errors.Join(err, answerErr)
		}
		return nil, from, reason, err
	}
	if err := s.answer(conn, &w); err != nil {
		return nil, from, "lost", err
	}
	certified := secured != nil && len(secured.ConnectionState().PeerCertificates) > 0
	return conn, Caller{Identity: h.from, Remote: raw.RemoteAddr().String(), Certified: certified}, "", nil
}

// silent gives the reason for closing a connection that ended in its greeting:
// reason, or that it said nothing for too long.
func silent(err error, reason string) string {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return reasonHalfOpen
	}
	return reason
}

// reasonHalfOpen counts connections that did not say who they are: for
// HandshakeTimeout, or while too many others came.
const reasonHalfOpen = "half-open"

func (s *serverCredentials) answer(conn net.Conn, w *welcome) error {
	_, err := conn.Write(w.append(nil))
	return err
}

// check says what is wrong with a caller.
func (s *serverCredentials) check(h *hello, secured *tls.Conn) (reason string, err error) {
	joining := h.from == Identity{}
	switch {
	case h.wants != 0 && h.wants != s.self.Node:
		return "node", fmt.Errorf("this is node %d, not node %d", s.self.Node, h.wants)
	case joining:
		return "", nil
	case h.from.Cluster != s.self.Cluster:
		return "cluster", fmt.Errorf("this is cluster %q, the caller is of cluster %q", s.self.Cluster, h.from.Cluster)
	case h.from.Node == 0:
		return "node", errors.New("the caller does not say which node it is")
	case secured == nil:
		return "", nil
	}
	certs := secured.ConnectionState().PeerCertificates // verified if there
	if len(certs) == 0 {
		return "certificate", fmt.Errorf("node %d shows no certificate", h.from.Node)
	}
	return s.tls.matches(certs[0], h.from)
}

// refuse counts a connection that was closed, and logs each reason once in a
// while: the port must bear being knocked at.
func (s *serverCredentials) refuse(reason string, remote net.Addr, err error) {
	s.metrics.refused.WithLabelValues(reason).Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.said[reason]) < sayAgain {
		return
	}
	s.said[reason] = time.Now()
	s.log.Warn("refused an rpc connection", "from", remote.String(), "reason", reason, "error", err)
}

// sayAgain is how long a reason is not logged again. There are few reasons.
const sayAgain = 10 * time.Second

// clientCredentials opens the connections of a Conn.
type clientCredentials struct {
	noInfo
	conn *Conn
}

// Clone implements credentials.TransportCredentials.
func (c *clientCredentials) Clone() credentials.TransportCredentials { return c }

// ServerHandshake implements credentials.TransportCredentials.
func (*clientCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are a client's")
}

// ClientHandshake opens a connection. What goes wrong is kept for the calls
// that fail by it.
func (c *clientCredentials) ClientHandshake(ctx context.Context, _ string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c.conn.trouble.Store(&errNoGreeting) // until there is one
	conn, err := c.open(ctx, raw)
	if err != nil {
		c.conn.trouble.Store(&err)
		return nil, nil, err
	}
	c.conn.trouble.Store(nil)
	return conn, &authInfo{CommonAuthInfo: security}, nil
}

// errNoGreeting is why calls fail where something takes the connection and says
// nothing.
var errNoGreeting = errors.New("connected, but no greeting came: it has not started or is stopped, or it is no rpc port")

func (c *clientCredentials) open(ctx context.Context, raw net.Conn) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := raw.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	pool := c.conn.pool
	conn := raw
	var secured *tls.Conn
	if pool.tls != nil {
		secured = tls.Client(raw, pool.tls.Client)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, refusedByTLS(err)
		}
		conn = secured
	}
	h := hello{oldest: oldestFormat, newest: newestFormat, from: pool.self, wants: c.conn.to.node}
	if _, err := conn.Write(h.append(nil)); err != nil {
		return nil, refusedByTLS(err)
	}
	b, err := readGreeting(conn)
	switch {
	case errors.Is(err, io.EOF) && secured == nil:
		return nil, errors.New("the connection was closed before the greeting: the other side may ask for TLS")
	case err != nil:
		return nil, refusedByTLS(err)
	}
	w, err := decodeWelcome(b)
	if err == nil {
		err = c.check(&w, secured)
	}
	if err != nil {
		return nil, err
	}
	if !stop() {
		return nil, ctx.Err()
	}
	return conn, raw.SetDeadline(time.Time{})
}

// check says what is wrong with who answered.
func (c *clientCredentials) check(w *welcome, secured *tls.Conn) error {
	pool, wants := c.conn.pool, c.conn.to.node
	switch {
	case w.reason != "":
		return fmt.Errorf("%w: %s", ErrRefused, w.reason)
	case w.format < oldestFormat || w.format > newestFormat:
		return fmt.Errorf("%w: the other side chose format %d, this node knows %d to %d", ErrRefused, w.format, oldestFormat, newestFormat)
	case pool.self.Cluster != "" && w.from.Cluster != pool.self.Cluster:
		return fmt.Errorf("%w: %s is of cluster %q, this node of cluster %q", ErrRefused, c.conn.to.address, w.from.Cluster, pool.self.Cluster)
	case wants != 0 && w.from.Node != wants:
		return fmt.Errorf("%w: %s is node %d, not node %d", ErrRefused, c.conn.to.address, w.from.Node, wants)
	case secured == nil:
		return nil
	}
	if _, err := pool.tls.matches(secured.ConnectionState().PeerCertificates[0], w.from); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// refusedByTLS marks the errors by which one side says that it does not take
// the certificate of the other.
func refusedByTLS(err error) error {
	var alert tls.AlertError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	if errors.As(err, &alert) || errors.As(err, &verification) || errors.As(err, &record) || errors.Is(err, model.ErrInvalid) || errors.Is(err, model.ErrNotSupported) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}
