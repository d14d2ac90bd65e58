package main

import (
	"bytes"
	"context"
	"net"
)

// headerConn is a connection for one answer in whose header control bytes become blanks. InfluxDB
// 1.8 repeats what it could not parse in X-Influxdb-Error as it is, and a client of Go refuses the
// whole answer then.
type headerConn struct {
	net.Conn
	last [3]byte // before what was read
	body bool    // the header is over
}

func dialHeader(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &headerConn{Conn: c}, nil
}

func (c *headerConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.body || n == 0 {
		return n, err
	}
	all := append(c.last[:len(c.last):len(c.last)], b[:n]...)
	end := n
	if i := bytes.Index(all, []byte("\r\n\r\n")); i >= 0 {
		c.body = true
		end = max(0, i+4-len(c.last))
	}
	for i, x := range b[:end] {
		if x < 0x20 && x != '\t' && x != '\r' && x != '\n' || x == 0x7f {
			b[i] = ' '
		}
	}
	copy(c.last[:], all[len(all)-len(c.last):])
	return n, err
}
