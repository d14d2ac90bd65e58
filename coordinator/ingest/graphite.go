package ingest

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/varvedb/varve/coordinator/ingest/graphite"
	"github.com/varvedb/varve/coordinator/ingest/point"
)

// openGraphite opens a listener for Graphite's plaintext protocol.
func (s *Service) openGraphite(cfg Graphite) error {
	cfg = cfg.complete()
	parser, err := cfg.parser()
	if err != nil {
		return err
	}
	p := s.newPipe(cfg.target(), cfg.Protocol)
	p.decode = func(c chunk, rows *point.Rows) { p.decodeGraphite(parser, c, rows) }
	if cfg.Protocol == "udp" {
		return s.listenPackets(p, cfg.UDPReadBuffer)
	}
	port, err := listenConnections(p, cfg.MaxConnectionLimit, nil, p.serveGraphite)
	if err != nil {
		return err
	}
	s.serve(port, p)
	return nil
}

// decodeGraphite reads lines.
func (p *pipe) decodeGraphite(parser *graphite.Parser, c chunk, rows *point.Rows) {
	for line := range strings.SplitSeq(string(c.data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		p.metrics.points.WithLabelValues().Inc()
		one, err := parser.Parse(line, c.at)
		switch {
		case errors.Is(err, graphite.ErrNaN):
			p.metrics.malformed.WithLabelValues(reasonNaN).Inc()
		case err != nil:
			p.malformed(c, reasonLine, line, err)
		default:
			p.add(c, &one, rows)
		}
	}
}

// serveGraphite reads a connection to its end. A line that has no end is not
// taken: the rest of its number may be missing.
func (p *pipe) serveGraphite(ctx context.Context, c net.Conn) {
	defer p.connected(protocolLines)()
	from := addressOf(c)
	l := newLines(c, nil, func() { p.malformed(chunk{from: from}, reasonLine, "", errLongLine) })
	for {
		block, err := l.next()
		if err != nil {
			return
		}
		if p.push(ctx, newChunk(block, from)) != nil {
			return
		}
	}
}
