package subscriber

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/varvedb/varve/model"
)

// maxPayload is about how large a payload gets: a request has one or several.
const maxPayload = 1 << 20

// payload is points as line protocol, with times in nanoseconds. It is
// immutable, and shared by the queues it is in.
type payload struct {
	text []byte
	ends []int // where each point ends in text, its line feed included
}

func (p *payload) points() int { return len(p.ends) }

// bytes is what the payload takes in memory.
func (p *payload) bytes() int64 { return int64(cap(p.text) + 8*cap(p.ends)) }

// encode gives the rows of a batch, which has the keys of its series, as
// payloads of about maxPayload. It ends when take returns false.
func encode(b *model.Batch, take func(*payload) bool) {
	p := &payload{}
	for i := range b.Tables {
		t := &b.Tables[i]
		for row := range t.Times {
			p.text = appendPoint(p.text, b, t, row)
			p.ends = append(p.ends, len(p.text))
			if len(p.text) < maxPayload {
				continue
			}
			if !take(p) {
				return
			}
			p = &payload{}
		}
	}
	if p.points() > 0 {
		take(p)
	}
}

// appendPoint writes a row as a line.
func appendPoint(dst []byte, b *model.Batch, t *model.Table, row int) []byte {
	dst = append(dst, b.Series[t.Series[row]].Key...)
	sep := byte(' ')
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.Has(row) {
			continue
		}
		dst = append(dst, sep)
		dst = appendEscaped(dst, c.Name, ", =")
		dst = append(dst, '=')
		dst = appendValue(dst, c, row)
		sep = ','
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, t.Times[row], 10)
	return append(dst, '\n')
}

func appendValue(dst []byte, c *model.Column, row int) []byte {
	switch c.Type {
	case model.Float:
		return appendFloat(dst, math.Float64frombits(c.Bits[row]))
	case model.Integer:
		return append(strconv.AppendInt(dst, int64(c.Bits[row]), 10), 'i')
	case model.Unsigned:
		return append(strconv.AppendUint(dst, c.Bits[row], 10), 'u')
	case model.Boolean:
		return strconv.AppendBool(dst, c.Bits[row] != 0)
	case model.String:
		dst = append(dst, '"')
		dst = appendEscaped(dst, c.Bytes(row), `"\`)
		return append(dst, '"')
	}
	return dst
}

// appendFloat writes a number without an exponent, as InfluxDB does, unless it
// would be very long.
func appendFloat(dst []byte, v float64) []byte {
	format := byte('f')
	if a := math.Abs(v); a >= 1e21 || a < 1e-9 && a != 0 {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, 64)
}

// appendEscaped writes s with a backslash before each of the special bytes.
func appendEscaped[T string | []byte](dst []byte, s T, special string) []byte {
	dst = slices.Grow(dst, len(s))
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return dst
}
