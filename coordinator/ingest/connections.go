package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// connections is a TCP port of which a handler serves each connection, up to a
// limit at a time.
type connections struct {
	listener net.Listener
	limit    int
	pipe     *pipe
	handle   func(ctx context.Context, c net.Conn) // closes c
	secure   *tls.Config                           // nil: plain

	ctx    context.Context // ends with the port
	cancel context.CancelFunc
	done   sync.WaitGroup // handlers

	mu   sync.Mutex // protects what is below
	open map[net.Conn]struct{}
}

func listenConnections(p *pipe, limit int, secure *tls.Config, handle func(context.Context, net.Conn)) (*connections, error) {
	l, err := net.Listen("tcp", p.to.address)
	if err != nil {
		return nil, err
	}
	s := &connections{listener: l, limit: limit, pipe: p, handle: handle, secure: secure, open: make(map[net.Conn]struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

func (s *connections) address() net.Addr { return s.listener.Addr() }

// run takes connections until the port is closed, and waits for their handlers.
func (s *connections) run() {
	for {
		c, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			s.done.Wait()
			return
		case err != nil:
			s.pipe.metrics.readFailures.WithLabelValues().Inc()
			s.pipe.log.Warn("cannot take connections", "error", err)
			time.Sleep(readPause)
			continue
		case !s.keep(c):
			s.pipe.metrics.refused.WithLabelValues().Inc()
			s.pipe.log.Warn("refused a connection: there are too many", "from", c.RemoteAddr(), "limit", s.limit)
			c.Close()
			continue
		}
		s.done.Go(func() {
			defer s.forget(c)
			if s.secure != nil {
				s.handle(s.ctx, tls.Server(c, s.secure))
				return
			}
			s.handle(s.ctx, c)
		})
	}
}

// keep counts a connection, unless there are too many.
func (s *connections) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= s.limit || s.ctx.Err() != nil {
		return false
	}
	s.open[c] = struct{}{}
	return true
}

func (s *connections) forget(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// close ends the port and its connections. What was read of them is decoded
// nevertheless where there is room for it.
func (s *connections) close() {
	s.listener.Close()
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.Close()
	}
}

// connected counts a connection until what it gives is called.
func (p *pipe) connected(protocol string) func() {
	p.metrics.connected.WithLabelValues(protocol).Inc()
	open := p.metrics.open.WithLabelValues(protocol)
	open.Inc()
	return open.Dec
}

// addressOf gives the address of a peer.
func addressOf(c net.Conn) netip.AddrPort {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}
