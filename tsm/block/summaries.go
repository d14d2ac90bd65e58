package block

import (
	"math"

	"github.com/varvedb/varve/model"
)

// Summaries is the statistics of blocks of numbers or booleans, of which each
// can be read without the others.
//
// They are kept as integers: floats multiplied by a power of ten, where that
// keeps them all, sums up to the last places that adding lost. And where that
// is shorter, last, min, max and sum are kept by what they differ from the
// first value: series far apart, each of which hardly moves, take few bits.
type Summaries struct {
	typ      model.FieldType
	relative bool
	scale    float64 // of decimals; else 0
	columns  [summaryColumns]Array
}

// The columns of Summaries. Booleans have no sum, and only decimals have lost
// places.
const (
	summaryFirst = iota
	summaryLast
	summaryMin
	summaryMax
	summarySum
	summaryLost
	summaryColumns
)

// maxLost bounds the last places by which a sum may differ from the decimal
// next to it.
const maxLost = 1 << 20

// columnsOf gives how many columns there are.
func columnsOf(t model.FieldType, decimals bool) int {
	switch {
	case t == model.Boolean:
		return summarySum
	case decimals:
		return summaryColumns
	}
	return summaryLost
}

// AppendSummaries adds the statistics of blocks of a type other than String.
// exact says by 1 which of them are known; it becomes 0 for some few that the
// shortest form does not keep.
func AppendSummaries(dst []byte, t model.FieldType, stats []model.Stats, exact []uint64) []byte {
	var columns [summaryColumns][]uint64
	for i := range columns {
		columns[i] = make([]uint64, len(stats))
	}
	exp, decimals := 0, false
	if t == model.Float {
		if exp, decimals = decimalSummaries(&columns, stats, exact); decimals {
			exp++
		}
	}
	if !decimals {
		for i := range stats {
			s := &stats[i]
			for k, v := range [...]uint64{s.First, s.Last, s.Min, s.Max, s.Sum} {
				columns[k][i] = v
			}
		}
	}
	n := columnsOf(t, decimals)
	smooth(columns[:n], exact)
	start := len(dst)
	dst = appendSummaries(append(dst, byte(exp)<<1), columns[:n])
	if t == model.Float && !decimals {
		return dst // differences of bits say nothing
	}
	for i := range stats {
		first := columns[summaryFirst][i]
		for _, c := range columns[summaryLast:summarySum] {
			c[i] -= first
		}
		columns[summarySum][i] -= first * uint64(stats[i].Count)
	}
	smooth(columns[:n], exact)
	middle := len(dst)
	dst = appendSummaries(append(dst, byte(exp)<<1|1), columns[:n])
	if len(dst)-middle < middle-start {
		return dst[:start+copy(dst[start:], dst[middle:])]
	}
	return dst[:middle]
}

func appendSummaries(dst []byte, columns [][]uint64) []byte {
	for _, c := range columns {
		dst = AppendArray(dst, c)
	}
	return dst
}

// decimalSummaries fills columns with integers that divided by 10^exp give the
// statistics; ok is false when too many are none. For those that are not it
// clears exact.
func decimalSummaries(columns *[summaryColumns][]uint64, stats []model.Stats, exact []uint64) (exp int, ok bool) {
	var all []uint64
	for _, of := range [...]func(s *model.Stats) uint64{
		func(s *model.Stats) uint64 { return s.First },
		func(s *model.Stats) uint64 { return s.Last },
		func(s *model.Stats) uint64 { return s.Min },
		func(s *model.Stats) uint64 { return s.Max },
	} {
		for i := range stats {
			if exact[i] != 0 {
				all = append(all, of(&stats[i]))
			}
		}
	}
	if exp, ok = exponent(all); !ok || len(all) == 0 {
		return 0, false
	}
	var bad []int
	for i := range stats {
		if exact[i] != 0 && !decimalSummary(columns, i, &stats[i], powersOfTen[exp]) {
			bad = append(bad, i)
		}
	}
	if len(bad)*16 > len(all)/4 {
		return 0, false
	}
	for _, i := range bad {
		exact[i] = 0
	}
	return exp, true
}

func decimalSummary(columns *[summaryColumns][]uint64, i int, s *model.Stats, scale float64) bool {
	for k, v := range [...]uint64{s.First, s.Last, s.Min, s.Max} {
		d, ok := decimal(math.Float64frombits(v), scale)
		if !ok {
			return false
		}
		columns[k][i] = uint64(d)
	}
	sum := math.RoundToEven(math.Float64frombits(s.Sum) * scale)
	if !(sum >= -maxExact && sum <= maxExact) {
		return false
	}
	columns[summarySum][i] = uint64(int64(sum))
	lost := s.Sum - math.Float64bits(float64(int64(sum))/scale)
	columns[summaryLost][i] = lost
	return lost+maxLost <= 2*maxLost
}

// smooth gives lines that are not exact the numbers of a neighbour, so that they
// cost no bits.
func smooth(columns [][]uint64, exact []uint64) {
	last := -1
	for i, ok := range exact {
		if ok == 0 {
			continue
		}
		for _, c := range columns {
			for k := last + 1; k < i; k++ {
				c[k] = c[max(last, 0)]
				if last < 0 {
					c[k] = c[i]
				}
			}
		}
		last = i
	}
	for _, c := range columns {
		for k := last + 1; k < len(c); k++ {
			c[k] = 0
			if last >= 0 {
				c[k] = c[last]
			}
		}
	}
}

// ReadSummaries finds n statistics of a type at the start of p and gives what
// follows them. Summaries keeps p.
func ReadSummaries(p []byte, t model.FieldType, n int) (s Summaries, rest []byte, err error) {
	if len(p) == 0 {
		return s, nil, model.ErrCorrupt
	}
	form, exp := p[0], int(p[0]>>1)
	s.typ, s.relative = t, form&1 != 0
	if exp > maxExponent+1 || (t != model.Float && exp > 0) || (t == model.Float && exp == 0 && s.relative) {
		return s, nil, model.ErrCorrupt
	}
	if exp > 0 {
		s.scale = powersOfTen[exp-1]
	}
	p = p[1:]
	for i := range columnsOf(t, exp > 0) {
		if s.columns[i], p, err = ReadArray(p, n); err != nil {
			return s, nil, err
		}
	}
	return s, p, nil
}

// Get gives statistics i, of a block with count values.
func (s *Summaries) Get(i, count int) model.Stats {
	c := &s.columns
	first, last, low, high := c[summaryFirst].Get(i), c[summaryLast].Get(i), c[summaryMin].Get(i), c[summaryMax].Get(i)
	sum := uint64(0)
	if s.typ != model.Boolean {
		sum = c[summarySum].Get(i)
	}
	if s.relative {
		last, low, high = last+first, low+first, high+first
		if s.typ != model.Boolean {
			sum += first * uint64(count)
		}
	}
	if s.scale != 0 {
		value := func(d uint64) uint64 { return math.Float64bits(float64(int64(d)) / s.scale) }
		first, last, low, high = value(first), value(last), value(low), value(high)
		sum = value(sum) + c[summaryLost].Get(i)
	}
	return model.Stats{Count: count, First: first, Last: last, Min: low, Max: high, Sum: sum}
}
