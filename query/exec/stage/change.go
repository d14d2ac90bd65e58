package stage

import (
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// change is difference() and derivative(), and those of them that leave out
// what is negative. Of points at one time, which a group of several series has,
// the first one counts.
type change struct {
	t           model.FieldType
	per         float64 // derivative(): a unit of time, backwards when descending; otherwise 0
	nonNegative bool

	some bool // whether there was a point
	at   int64
	bits uint64
}

func newChange(s *plan.Stage, descending bool) *change {
	c := &change{t: s.Type}
	switch s.Function {
	case function.Derivative, function.NonNegativeDerivative:
		c.per = float64(s.Unit)
		if descending {
			c.per = -c.per
		}
	}
	c.nonNegative = s.Function == function.NonNegativeDerivative || s.Function == function.NonNegativeDifference
	return c
}

func (c *change) Add(in, out *Points) error {
	for i, at := range in.Times {
		if !in.Value.Has(i) || c.some && at == c.at {
			continue
		}
		if c.some {
			c.emit(at, in.Value.Bits[i], out)
		}
		c.some, c.at, c.bits = true, at, in.Value.Bits[i]
	}
	return nil
}

func (c *change) End(*Points) error { return nil }

func (c *change) emit(at int64, bits uint64, out *Points) {
	if c.nonNegative && c.negative(bits) {
		return
	}
	result := c.difference(bits)
	if c.per != 0 {
		result = math.Float64bits(c.asFloat(bits) / (float64(at-c.at) / c.per))
	}
	out.Times = append(out.Times, at)
	out.Value.AppendBits(result)
}

// difference gives the difference from the last value, of the values' type.
func (c *change) difference(bits uint64) uint64 {
	if c.t == model.Float {
		return math.Float64bits(math.Float64frombits(bits) - math.Float64frombits(c.bits))
	}
	return bits - c.bits // integers wrap, as in InfluxDB
}

// asFloat gives the difference as a float, with a sign also between unsigned
// values.
func (c *change) asFloat(bits uint64) float64 {
	switch {
	case c.t == model.Float:
		return math.Float64frombits(bits) - math.Float64frombits(c.bits)
	case c.t == model.Integer:
		return float64(int64(bits - c.bits))
	case bits > c.bits:
		return float64(bits - c.bits)
	}
	return -float64(c.bits - bits)
}

func (c *change) negative(bits uint64) bool { return c.asFloat(bits) < 0 }
