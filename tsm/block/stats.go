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
		low, high, sum = summary[T](c.Bits)
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

// summary gives the least, the greatest and the sum of values, of which there is
// one at least. Four of each are under way at a time, as one would wait for the
// one before it.
func summary[T int64 | uint64](values []uint64) (low, high, sum T) {
	v := T(values[0])
	low0, low1, low2, low3 := v, v, v, v
	high0, high1, high2, high3 := v, v, v, v
	var sum0, sum1, sum2, sum3 T
	for ; len(values) >= 4; values = values[4:] {
		a, b, c, d := T(values[0]), T(values[1]), T(values[2]), T(values[3])
		low0, low1, low2, low3 = min(low0, a), min(low1, b), min(low2, c), min(low3, d)
		high0, high1, high2, high3 = max(high0, a), max(high1, b), max(high2, c), max(high3, d)
		sum0, sum1, sum2, sum3 = sum0+a, sum1+b, sum2+c, sum3+d
	}
	for _, w := range values {
		v := T(w)
		low0, high0, sum0 = min(low0, v), max(high0, v), sum0+v
	}
	return min(low0, low1, low2, low3), max(high0, high1, high2, high3), sum0 + sum1 + sum2 + sum3
}

func floatStats(s *model.Stats, c *model.Column) bool {
	values := c.Float64s()
	first := firstRow(c)
	last := first
	low, high, sum := values[first], values[first], values[first]
	for i := first + 1; i < len(values); i++ {
		if c.Present != nil && !c.Present.Get(i) {
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
