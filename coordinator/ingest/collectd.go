package ingest

import (
	"github.com/varvedb/varve/coordinator/ingest/collectd"
	"github.com/varvedb/varve/coordinator/ingest/point"
)

// openCollectd opens a listener for collectd's binary protocol.
func (s *Service) openCollectd(cfg Collectd) error {
	cfg = cfg.complete()
	parser, err := cfg.parser()
	if err != nil {
		return err
	}
	p := s.newPipe(cfg.target(), "udp")
	p.decode = func(c chunk, rows *point.Rows) { p.decodeCollectd(parser, c, rows) }
	return s.listenPackets(p, cfg.ReadBuffer)
}

// decodeCollectd reads a packet.
func (p *pipe) decodeCollectd(parser *collectd.Parser, c chunk, rows *point.Rows) {
	points, dropped, err := parser.Parse(c.data, c.at)
	if err != nil {
		p.malformed(c, reasonPacket, "", err)
		return
	}
	p.metrics.points.WithLabelValues().Add(float64(len(points)))
	p.metrics.droppedPoints.WithLabelValues(reasonInvalid).Add(float64(dropped))
	for i := range points {
		p.add(c, &points[i], rows)
	}
}
