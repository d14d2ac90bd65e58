package ingest

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// maxChunk is the longest packet, and the longest line of a connection.
const maxChunk = 64 << 10

// readPause is how long a socket is left alone after it could not be read.
const readPause = 100 * time.Millisecond

// packets is a UDP socket whose packets go to a pipe.
type packets struct {
	conn *net.UDPConn
	pipe *pipe
}

// listenPackets opens the socket. The kernel keeps readBuffer bytes for it, 0: as
// many as it likes.
func listenPackets(p *pipe, readBuffer int) (*packets, error) {
	address, err := net.ResolveUDPAddr("udp", p.to.address)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", address)
	if err != nil {
		return nil, err
	}
	if readBuffer > 0 {
		if err := conn.SetReadBuffer(readBuffer); err != nil {
			conn.Close()
			return nil, fmt.Errorf("read-buffer of %d bytes: %w", readBuffer, err)
		}
	}
	return &packets{conn: conn, pipe: p}, nil
}

func (u *packets) address() net.Addr { return u.conn.LocalAddr() }

// run reads until the socket is closed.
func (u *packets) run() {
	buffer := make([]byte, maxChunk)
	for {
		n, from, err := u.conn.ReadFromUDPAddrPort(buffer)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			u.pipe.metrics.readFailures.WithLabelValues().Inc()
			u.pipe.log.Warn("cannot read packets", "error", err)
			time.Sleep(readPause)
		case n > 0:
			u.pipe.offer(newChunk(slices.Clone(buffer[:n]), from))
		}
	}
}

func (u *packets) close() { u.conn.Close() }
