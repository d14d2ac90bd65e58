package rpc

import (
	"container/list"
	"errors"
	"net"
	"sync"
)

// listener bounds the connections that have not said who they are: with one
// too many the oldest is closed, so whoever speaks at once gets in while
// thousands wait in silence.
type listener struct {
	net.Listener
	cfg     Config
	metrics *serverMetrics

	mu struct {
		sync.Mutex
		waiting list.List // of *conn, the oldest first
		open    int       // connections that have said who they are
	}
}

func newListener(l net.Listener, cfg Config, m *serverMetrics) *listener {
	return &listener{Listener: l, cfg: cfg, metrics: m}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, listener: l}
	l.mu.Lock()
	var oldest *conn
	if l.mu.waiting.Len() >= l.cfg.MaxHandshakes {
		oldest = l.mu.waiting.Remove(l.mu.waiting.Front()).(*conn)
		oldest.place = nil
	}
	c.place = l.mu.waiting.PushBack(c)
	l.mu.Unlock()
	if oldest != nil {
		_ = oldest.Conn.Close() // it said nothing; its handshake fails, and counts it
	}
	return c, nil
}

// closeWaiting closes what has not said who it is.
func (l *listener) closeWaiting() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.mu.waiting.Front(); e != nil; e = e.Next() {
		_ = e.Value.(*conn).Conn.Close() // it said nothing
	}
}

// conn is a connection that its listener knows of.
type conn struct {
	net.Conn
	listener *listener

	// Guarded by the listener's mu.
	place *list.Element // among those that wait; nil otherwise
	open  bool
}

var errTooMany = errors.New("too many connections")

// established notes that a connection has said who it is. It refuses it when
// there are too many.
func established(raw net.Conn, limit int) error {
	c, ok := raw.(*conn)
	if !ok {
		return nil // of a listener that was not made here
	}
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.open >= limit {
		return errTooMany
	}
	c.leaveLocked()
	c.open = true
	l.mu.open++
	l.metrics.connections.Inc()
	return nil
}

func (c *conn) leaveLocked() {
	if c.place != nil {
		c.listener.mu.waiting.Remove(c.place)
		c.place = nil
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	l := c.listener
	l.mu.Lock()
	c.leaveLocked()
	if c.open {
		c.open = false
		l.mu.open--
		l.metrics.connections.Dec()
	}
	l.mu.Unlock()
	return c.Conn.Close()
}
