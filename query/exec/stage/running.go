package stage

import (
	"math"

	"github.com/varvedb/varve/model"
)

// elapsed is the time between points, in units of time.
type elapsed struct {
	unit int64
	some bool // whether there was a point
	at   int64
}

func (e *elapsed) Add(in, out *Points) error {
	for i, at := range in.Times {
		if !in.Value.Has(i) {
			continue
		}
		if e.some {
			out.Times = append(out.Times, at)
			out.Value.AppendBits(uint64((at - e.at) / e.unit))
		}
		e.some, e.at = true, at
	}
	return nil
}

func (e *elapsed) End(*Points) error { return nil }

// cumulativeSum is the sum of all values so far; integers wrap, as in InfluxDB.
type cumulativeSum struct {
	t   model.FieldType
	sum uint64
}

func (c *cumulativeSum) Add(in, out *Points) error {
	for i, at := range in.Times {
		if !in.Value.Has(i) {
			continue
		}
		c.sum = plus(c.t, c.sum, in.Value.Bits[i])
		out.Times = append(out.Times, at)
		out.Value.AppendBits(c.sum)
	}
	return nil
}

func (c *cumulativeSum) End(*Points) error { return nil }

// movingAverage is the mean of the last n values.
type movingAverage struct {
	t    model.FieldType
	n    int
	held *Budget

	last []uint64 // up to n values, in a ring
	at   int      // where the next one goes
	sum  uint64
}

func (m *movingAverage) Add(in, out *Points) error {
	for i, at := range in.Times {
		if !in.Value.Has(i) {
			continue
		}
		if err := m.push(in.Value.Bits[i]); err != nil {
			return err
		}
		if len(m.last) == m.n {
			out.Times = append(out.Times, at)
			out.Value.AppendBits(math.Float64bits(toFloat(m.t, m.sum) / float64(m.n)))
		}
	}
	return nil
}

func (m *movingAverage) End(*Points) error { return nil }

// push takes in a value in place of the oldest one. InfluxDB keeps a running
// sum, whose rounding is kept here, too.
func (m *movingAverage) push(bits uint64) error {
	if len(m.last) < m.n {
		if len(m.last) == cap(m.last) {
			if err := m.held.take(8 * max(64, cap(m.last))); err != nil {
				return err
			}
		}
		m.last = append(m.last, bits)
	} else {
		m.sum = minus(m.t, m.sum, m.last[m.at])
		m.last[m.at] = bits
	}
	m.sum = plus(m.t, m.sum, bits)
	m.at++
	if m.at == m.n {
		m.at = 0
	}
	return nil
}

// plus, minus and toFloat compute with the bits of numbers.
func plus(t model.FieldType, x, y uint64) uint64 {
	if t == model.Float {
		return math.Float64bits(math.Float64frombits(x) + math.Float64frombits(y))
	}
	return x + y
}

func minus(t model.FieldType, x, y uint64) uint64 {
	if t == model.Float {
		return math.Float64bits(math.Float64frombits(x) - math.Float64frombits(y))
	}
	return x - y
}

func toFloat(t model.FieldType, bits uint64) float64 {
	switch t {
	case model.Float:
		return math.Float64frombits(bits)
	case model.Integer:
		return float64(int64(bits))
	}
	return float64(bits)
}
