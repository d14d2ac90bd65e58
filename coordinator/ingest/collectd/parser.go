package collectd

import (
	"math"
	"time"

	"github.com/varvedb/varve/coordinator/ingest/point"
	"github.com/varvedb/varve/model"
)

// Parser makes points of packets. It is safe for concurrent use.
type Parser struct {
	Types     Types
	Security  Security
	Passwords *Passwords // nil: nothing signed or encrypted can be read
	// Join puts the values of one list into one point: the measurement is the
	// plugin, the fields are the names of the values. Else each is a point of its
	// own with the field "value", and the measurement has both names.
	Join bool
}

// Parse reads a packet and gives its points, and how many values it had that
// cannot be stored: those of a type that is not known, or has another number of
// values, and those that are no numbers. A packet that is malformed anywhere
// gives none. A point without a time gets now.
func (p *Parser) Parse(packet []byte, now time.Time) (points []point.Point, dropped int, err error) {
	r := reader{security: p.Security, passwords: p.Passwords}
	r.each = func(l *list) {
		sources, known := p.Types[l.typ]
		if !known || len(sources) != len(l.bits) {
			dropped += len(l.bits)
			return
		}
		if l.time == 0 {
			l.time = now.UnixNano()
		}
		var bad int
		points, bad = p.add(points, l, sources)
		dropped += bad
	}
	if err := r.read(packet, None); err != nil {
		return nil, 0, err
	}
	return points, dropped, nil
}

// add adds the points of a list.
func (p *Parser) add(points []point.Point, l *list, sources []Source) (_ []point.Point, dropped int) {
	tags := l.tags()
	var joined []point.Field
	for i, s := range sources {
		v := float(l.bits[i], l.kinds[i], s.Kind)
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			dropped++
		case p.Join:
			joined = append(joined, point.Field{Name: s.Name, Value: v})
		default:
			points = append(points, point.Point{
				Measurement: l.plugin + "_" + s.Name, Tags: tags, Fields: []point.Field{{Name: "value", Value: v}}, Time: l.time,
			})
		}
	}
	if len(joined) > 0 {
		points = append(points, point.Point{Measurement: l.plugin, Tags: tags, Fields: joined, Time: l.time})
	}
	return points, dropped
}

func (l *list) tags() model.Tags {
	return model.Tags{
		{Key: "host", Value: l.host},
		{Key: "instance", Value: l.pluginInstance},
		{Key: "type", Value: l.typ},
		{Key: "type_instance", Value: l.typeInstance},
	}
}
