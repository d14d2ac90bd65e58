package ingest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"
)

const (
	// lineBytes is the buffer that a connection begins with. It grows up to
	// maxChunk where lines or their number ask for it.
	lineBytes = 4 << 10
	// lineTimeout is how long a connection may be without a whole line: a peer
	// that is gone does not hold its place for ever.
	lineTimeout = 15 * time.Minute
)

var errLongLine = errors.New("the line is too long")

// lines reads whole lines of a connection, as many at once as there are.
type lines struct {
	conn    net.Conn
	timeout time.Duration // until the next whole line
	buffer  []byte
	have    int    // bytes of the buffer that are read and not given yet
	tooLong func() // a line is longer than maxChunk; it is skipped
	skip    bool   // up to the next line end
}

// newLines reads from c, and first what was read of it before.
func newLines(c net.Conn, before []byte, tooLong func()) *lines {
	l := &lines{conn: c, timeout: lineTimeout, tooLong: tooLong, buffer: make([]byte, max(lineBytes, len(before)))}
	l.have = copy(l.buffer, before)
	return l
}

// next gives lines with their ends, in memory that the caller owns. At the end of
// the connection it gives what is there of another line together with io.EOF.
func (l *lines) next() ([]byte, error) {
	if block := l.take(); block != nil {
		return block, nil
	}
	if err := l.conn.SetReadDeadline(time.Now().Add(l.timeout)); err != nil {
		return nil, err
	}
	for {
		if l.have == len(l.buffer) {
			l.grow()
		}
		n, err := l.conn.Read(l.buffer[l.have:])
		l.have += n
		if block := l.take(); block != nil {
			return block, nil
		}
		if err == io.EOF && !l.skip {
			return bytes.Clone(l.buffer[:l.have]), err
		}
		if err != nil {
			return nil, err
		}
	}
}

// take gives the whole lines that are in the buffer, nil where there is none.
func (l *lines) take() []byte {
	data := l.buffer[:l.have]
	if l.skip {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			l.have = 0
			return nil
		}
		l.skip = false
		l.have = copy(l.buffer, data[end+1:])
		data = l.buffer[:l.have]
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	if end == 0 {
		return nil
	}
	block := bytes.Clone(data[:end])
	l.have = copy(l.buffer, data[end:])
	return block
}

// grow makes room in a buffer that is full of a part of one line.
func (l *lines) grow() {
	if len(l.buffer) < maxChunk {
		l.buffer = append(l.buffer, make([]byte, len(l.buffer))...)
		return
	}
	l.tooLong()
	l.skip, l.have = true, 0
}
