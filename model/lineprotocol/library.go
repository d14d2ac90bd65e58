package lineprotocol

import (
	"bytes"
	"unicode/utf8"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/varvedb/varve/model"
)

// libraryReads reports whether the library reads the line as InfluxDB 1.8.10
// does or refuses it. It takes backslashes in strings for escapes of C, trims
// carriage returns, and has its own idea of control characters.
func libraryReads(line []byte) bool {
	for _, c := range line {
		if c < ' ' || c == '\\' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(line)
}

// readByLibrary decodes a line that libraryReads. It gives false when the
// library refuses the line or reads something that InfluxDB 1.8.10 refuses;
// then InfluxDB's own rules decide.
func readByLibrary(line []byte, precision Precision, unsigned bool, p *point) bool {
	p.reset()
	blank := bytes.IndexByte(line, ' ')
	if blank < 0 || blank > maxKeyBytes {
		return false
	}
	p.rawKey = line[:blank]
	d := lineprotocol.NewDecoderWithBytes(line)
	if !d.Next() {
		return false
	}
	var err error
	if p.measurement, err = d.Measurement(); err != nil {
		return false
	}
	for {
		key, value, err := d.NextTag()
		if err != nil {
			return false
		}
		if key == nil {
			break
		}
		p.tags = append(p.tags, pair{key, value})
	}
	// Nothing is escaped here, so tags in order make a canonical key.
	if p.canonical, err = sortTags(p.tags); err != nil {
		return false
	}
	for {
		name, kind, value, err := d.NextFieldBytes()
		if err != nil {
			return false
		}
		if name == nil {
			break
		}
		f := fieldValue{raw: name, name: name}
		if !f.set(kind, value, unsigned) || blank+fieldKeySeparator+len(name) > maxKeyBytes {
			return false
		}
		p.addField(f)
	}
	stamp, err := d.TimeBytes()
	if err != nil || len(p.fields) == 0 {
		return false
	}
	return stamp == nil || p.readTime(stamp, 0, precision) == nil
}

// set takes a value as the library cuts it out.
func (f *fieldValue) set(kind lineprotocol.ValueKind, value []byte, unsigned bool) bool {
	n := 0
	switch kind {
	case lineprotocol.String:
		f.typ, f.text = model.String, value
		return true
	case lineprotocol.Bool:
		f.typ = model.Boolean
		f.bits, n = readBoolean(value)
	default:
		// The library cuts off the letter that makes an integer.
		token := append(make([]byte, 0, 24), value...)
		switch kind {
		case lineprotocol.Int:
			token = append(token, 'i')
		case lineprotocol.Uint:
			token = append(token, 'u')
		}
		f.typ, f.bits, n = readNumber(token, unsigned)
		return n == len(token) && n > 0
	}
	return n == len(value) && n > 0
}
