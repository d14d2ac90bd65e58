package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// connections bounds the connections that are open at a time, together and from
// one address. One that is too many is closed before anything is read from it,
// which clients take for trouble that passes.
type connections struct {
	most, mostOfOne int
	metrics         *metrics

	mu   sync.Mutex // protects all below
	open map[net.Conn]netip.Addr
	of   map[netip.Addr]int
}

func newConnections(most, mostOfOne int, m *metrics) *connections {
	return &connections{most: most, mostOfOne: mostOfOne, metrics: m, open: make(map[net.Conn]netip.Addr), of: make(map[netip.Addr]int)}
}

// changed is told of every state of a connection, as http.Server.ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if why := c.enter(conn); why != "" {
			c.metrics.refused.WithLabelValues(why).Inc()
			_ = conn.Close() // it is not used
		}
	case http.StateClosed, http.StateHijacked:
		c.leave(conn)
	}
}

// enter counts a connection, or says why it may not be.
func (c *connections) enter(conn net.Conn) (why string) {
	from := addressOf(conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.most > 0 && len(c.open) >= c.most:
		return "connections"
	case c.mostOfOne > 0 && c.of[from] >= c.mostOfOne:
		return "connections of address"
	}
	c.open[conn] = from
	c.of[from]++
	c.metrics.connections.Inc()
	return ""
}

func (c *connections) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from, ok := c.open[conn]
	if !ok {
		return // it was refused
	}
	delete(c.open, conn)
	if c.of[from]--; c.of[from] == 0 {
		delete(c.of, from)
	}
	c.metrics.connections.Dec()
}

// addressOf gives where a connection comes from; the zero Addr for those that
// come from no network. Of an address of IPv6 what counts is its /64: who has one
// has all of it.
func addressOf(conn net.Conn) netip.Addr {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap()
	if addr.Is6() {
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}
