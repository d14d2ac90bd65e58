package ingest

import (
	"github.com/varvedb/varve/coordinator/ingest/point"
	"github.com/varvedb/varve/model/lineprotocol"
)

// Bounds of the parser of a listener, whose bodies are packets.
const (
	packetMemoBytes  = 8 << 20
	packetColumns    = 8 << 10
	packetErrorBytes = 1 << 10
)

// openUDP opens a listener for line protocol.
func (s *Service) openUDP(cfg UDP) error {
	cfg = cfg.complete()
	precision, err := lineprotocol.ParsePrecision(cfg.Precision)
	if err != nil {
		return err
	}
	parsing := lineprotocol.DefaultConfig()
	parsing.HashSeed, parsing.Unsigned = s.parts.HashSeed, s.parts.Unsigned
	parsing.Workers, parsing.MemoBytes = 1, packetMemoBytes
	parsing.MaxColumns, parsing.MaxErrorBytes = packetColumns, packetErrorBytes
	parser := lineprotocol.NewParser(parsing)

	p := s.newPipe(cfg.target(), "udp")
	p.decode = func(c chunk, rows *point.Rows) {
		p.decodeLines(parser, lineprotocol.Options{Precision: precision, Now: c.at}, c, rows)
	}
	return s.listenPackets(p, cfg.ReadBuffer)
}

// decodeLines reads a packet of line protocol. Its good lines are taken though
// others are bad, as /write does.
func (p *pipe) decodeLines(parser *lineprotocol.Parser, opt lineprotocol.Options, c chunk, rows *point.Rows) {
	parsed, err := parser.Parse(c.data, opt)
	if err != nil {
		p.malformed(c, reasonPacket, string(c.data), err)
		return
	}
	defer parsed.Release()
	if parsed.Err != nil {
		p.metrics.malformed.WithLabelValues(reasonLine).Add(float64(parsed.Malformed))
		p.log.Warn("did not understand lines", "from", c.from, "lines", parsed.Malformed, "error", shown(parsed.Err.Error()))
	}
	p.metrics.droppedPoints.WithLabelValues(reasonInvalid).Add(float64(parsed.Dropped.Count))
	p.metrics.points.WithLabelValues().Add(float64(parsed.Batch.Rows()))
	rows.AddAll(parsed.Batch)
}
