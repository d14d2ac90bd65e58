package ingest

import (
	"bufio"
	"net"
	"sync"
)

// handover is a net.Listener of connections that others have accepted.
type handover struct {
	conns chan net.Conn
	ended chan struct{} // closed by Close
	end   sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), ended: make(chan struct{})}
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.end.Do(func() { close(h.ended) })
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }

// readConn is a connection of which some was read already.
type readConn struct {
	net.Conn
	read   *bufio.Reader
	closed chan struct{} // closed by Close
	end    sync.Once
}

// Read implements net.Conn.
func (c *readConn) Read(b []byte) (int, error) { return c.read.Read(b) }

// Close implements net.Conn.
func (c *readConn) Close() error {
	c.end.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
