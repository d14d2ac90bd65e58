package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator/ingest/opentsdb"
	"github.com/varvedb/varve/coordinator/ingest/point"
)

// telnet is a listener for OpenTSDB. Its port also serves HTTP: the first line
// of a connection says which it is.
type telnet struct {
	*connections
	pipe      *pipe
	logErrors bool
	http      *putServer
}

// openOpenTSDB opens a listener for OpenTSDB's telnet protocol and HTTP.
func (s *Service) openOpenTSDB(cfg OpenTSDB) error {
	cfg = cfg.complete()
	live, err := cfg.live(s.parts.TLS, s.log)
	if err != nil {
		return err
	}
	p := s.newPipe(cfg.target(), "tcp")
	t := &telnet{pipe: p, logErrors: cfg.LogPointErrors, http: newPutServer(p, s.parts.HashSeed, s.log)}
	p.decode = t.decode
	if t.connections, err = listenConnections(p, cfg.MaxConnectionLimit, live.Server(), t.serve); err != nil {
		t.http.close()
		return err
	}
	s.serve(t, p)
	return nil
}

// close ends the port, requests at work first.
func (t *telnet) close() {
	t.listener.Close()
	t.http.close()
	t.connections.close()
}

// decode reads lines.
func (t *telnet) decode(c chunk, rows *point.Rows) {
	for line := range strings.SplitSeq(string(c.data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line == versionCommand {
			continue
		}
		t.pipe.metrics.points.WithLabelValues().Inc()
		one, err := opentsdb.ParseLine(line)
		if err != nil {
			t.malformed(c, line, err)
		}
		if err == nil || errors.Is(err, opentsdb.ErrTag) {
			t.pipe.add(c, &one, rows)
		}
	}
}

func (t *telnet) malformed(c chunk, line string, err error) {
	reason := reasonLine
	switch {
	case errors.Is(err, opentsdb.ErrTime):
		reason = reasonTime
	case errors.Is(err, opentsdb.ErrValue):
		reason = reasonValue
	case errors.Is(err, opentsdb.ErrTag):
		reason = reasonTag
	}
	if t.logErrors {
		t.pipe.malformed(c, reason, line, err)
	} else {
		t.pipe.metrics.malformed.WithLabelValues(reason).Inc()
	}
}

// The command that is answered, for clients that look for a server.
const (
	versionCommand = "version"
	versionAnswer  = "InfluxDB TSDB proxy"
)

// maxRequestLine bounds the line that says whether a connection is HTTP.
const maxRequestLine = 8 << 10

// serve serves a connection to its end.
func (t *telnet) serve(ctx context.Context, c net.Conn) {
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(lineTimeout)); err != nil {
		return
	}
	r := bufio.NewReaderSize(c, maxRequestLine)
	if isHTTP(r) {
		defer t.pipe.connected(protocolHTTP)()
		t.http.serve(ctx, c, r)
		return
	}
	defer t.pipe.connected(protocolPut)()
	before, _ := r.Peek(r.Buffered())
	t.serveLines(ctx, c, before)
}

// isHTTP reports whether a connection begins with the line of an HTTP request.
// The commands of telnet are in lower case, so one that begins otherwise is told
// by its first byte.
func isHTTP(r *bufio.Reader) bool {
	first, err := r.Peek(1)
	if err != nil || first[0] < 'A' || first[0] > 'Z' {
		return false
	}
	for {
		have, _ := r.Peek(r.Buffered())
		if line, _, whole := bytes.Cut(have, []byte("\n")); whole {
			line = bytes.TrimSuffix(line, []byte("\r"))
			return bytes.HasSuffix(line, []byte(" HTTP/1.1")) || bytes.HasSuffix(line, []byte(" HTTP/1.0"))
		}
		if _, err := r.Peek(len(have) + 1); err != nil { // or the line is too long
			return false
		}
	}
}

// serveLines reads lines. The last of a connection may be without its end.
func (t *telnet) serveLines(ctx context.Context, c net.Conn, before []byte) {
	from := addressOf(c)
	l := newLines(c, before, func() { t.malformed(chunk{from: from}, "", errLongLine) })
	for {
		block, err := l.next()
		if len(block) > 0 {
			if t.answer(c, block) != nil || t.pipe.push(ctx, newChunk(block, from)) != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				t.pipe.metrics.readFailures.WithLabelValues().Inc()
			}
			return
		}
	}
}

// answer answers the commands among lines that have one.
func (t *telnet) answer(c net.Conn, block []byte) error {
	if !bytes.Contains(block, []byte(versionCommand)) {
		return nil
	}
	for line := range bytes.SplitSeq(block, []byte("\n")) {
		if string(bytes.TrimSpace(line)) != versionCommand {
			continue
		}
		if err := c.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
			return err
		}
		if _, err := io.WriteString(c, versionAnswer); err != nil {
			return err
		}
	}
	return nil
}

// answerTimeout is how long a peer may take to take an answer.
const answerTimeout = 10 * time.Second
