package block

import (
	"math"

	"github.com/varvedb/varve/model"
)

// Stats summarises a column. ok is false when the column holds a NaN, which no
// order has a place for: then only Count is set. Of equal values (0 and -0) the
// first is Min and Max.
func Stats(c *model.Column) (s model.Stats, ok bool) {
	s.Count = c.Count()
	if s.Count == 0 || c.Type == model.String {
		return s, true
	}
	switch c.Type {
	case model.Float:
		ok = floatStats(&s, c)
	case model.Integer:
		intStats[int64](&s, c)
		ok = true
	case model.Unsigned, model.Boolean:
		intStats[uint64](&s, c)
		ok = true
		if c.Type == model.Boolean {
			s.Sum = 0
		}
	}
	return s, ok
}

func intStats[T int64 | uint64](s *model.Stats, c *model.Column) {
	first := firstRow(c)
	s.First, s.Last = c.Bits[first], c.Bits[first]
	low, high, sum := T(s.First), T(s.First), T(s.First)
	if c.Present == nil {
		for _, b := range c.Bits[1:] {
			v := T(b)
			low, high = min(low, v), max(high, v)
			sum += v
		}
		s.Last = c.Bits[len(c.Bits)-1]
	} else {
		for i := first + 1; i < len(c.Bits); i++ {
			if c.Present.Get(i) {
				v := T(c.Bits[i])
				low, high = min(low, v), max(high, v)
				sum += v
				s.Last = c.Bits[i]
			}
		}
	}
	s.Min, s.Max, s.Sum = uint64(low), uint64(high), uint64(sum)
}

func floatStats(s *model.Stats, c *model.Column) bool {
	values := c.Float64s()
	first := firstRow(c)
	last := first
	low, high, sum := values[first], values[first], values[first]
	for i := first + 1; i < len(values); i++ {
		if !c.Has(i) {
			continue
		}
		v := values[i]
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
		sum += v
		last = i
	}
	// A NaN among the values makes the sum one; so do infinities of both
	// signs, which are as rare.
	if math.IsNaN(sum) {
		return false
	}
	s.First, s.Last = c.Bits[first], c.Bits[last]
	s.Min, s.Max, s.Sum = math.Float64bits(low), math.Float64bits(high), math.Float64bits(sum)
	return true
}

// firstRow gives the first row that has a value; there is one.
func firstRow(c *model.Column) int {
	for i := range c.Len() {
		if c.Has(i) {
			return i
		}
	}
	panic("block: no row has a value")
}
