package exec

import (
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// cells is the state of one aggregate in many slots, one for each window (or,
// while first() and last() look for ties, each series). The slices are as long
// as there are slots, or nil where the function does not need them.
type cells struct {
	f function.ID
	t model.FieldType // of the values

	states []model.FieldType // of the columns that appendColumns adds

	n    []int64  // how many values; 0 for none yet
	v    []uint64 // sum, minimum (spread), mean (stddev), or the selected value's bits
	w    []uint64 // maximum (spread), squared distances (stddev)
	at   []int64  // when the selected value was
	text []string // the selected value of type String
	list [][]byte // all values, packed

	listBytes int // of all slots' lists
	textBytes int // of all slots' texts
}

// cellBytes is what a slot takes at most, without its text.
const cellBytes = 5 * 8

func newCells(f function.ID, t model.FieldType) *cells {
	return &cells{f: f, t: t, states: f.States(t)}
}

func (c *cells) reset() {
	c.n, c.v, c.w, c.at, c.text = c.n[:0], c.v[:0], c.w[:0], c.at[:0], c.text[:0]
	c.list, c.listBytes, c.textBytes = c.list[:0], 0, 0
}

// grow adds a slot.
func (c *cells) grow() {
	c.n = append(c.n, 0)
	switch {
	case c.f == function.Count:
		return
	case c.f.Collects():
		c.list = append(c.list, nil)
		return
	}
	if c.t == model.String {
		c.text = append(c.text, "")
	} else {
		c.v = append(c.v, 0)
	}
	switch {
	case c.f == function.Spread || c.f == function.Stddev:
		c.w = append(c.w, 0)
	case c.f.Selects():
		c.at = append(c.at, 0)
	}
}

// add takes in the rows from lo up to hi, which are in order of time. Where c
// selects one of them it gives its index, otherwise -1.
func (c *cells) add(slot int, times []int64, col *model.Column, lo, hi int) int {
	switch c.f {
	case function.Count:
		c.n[slot] += int64(count(col, lo, hi))
		return -1
	case function.First:
		for i := lo; i < hi; i++ {
			if col.Has(i) {
				return c.selectRow(slot, times[i], col, i)
			}
		}
		return -1
	case function.Last:
		for i := hi - 1; i >= lo; i-- {
			if col.Has(i) {
				return c.selectRow(slot, times[i], col, i)
			}
		}
		return -1
	}
	if c.f.Collects() {
		c.collect(slot, times, col, lo, hi)
		return -1
	}
	switch c.t {
	case model.Float:
		return addNumbers(c, slot, times, col, view[float64](col.Bits), lo, hi)
	case model.Integer:
		return addNumbers(c, slot, times, col, view[int64](col.Bits), lo, hi)
	}
	return addNumbers(c, slot, times, col, col.Bits, lo, hi)
}

func addNumbers[T number](c *cells, slot int, times []int64, col *model.Column, values []T, lo, hi int) int {
	v := view[T](c.v)
	switch c.f {
	case function.Sum, function.Mean:
		s, n := sum(values, col.Present, lo, hi)
		v[slot] += s
		c.n[slot] += int64(n)
	case function.Spread:
		low, high, n := extremes(values, col.Present, lo, hi)
		if n == 0 {
			return -1
		}
		w := view[T](c.w)
		if c.n[slot] == 0 {
			v[slot], w[slot] = low, high
		}
		v[slot], w[slot] = min(v[slot], low), max(w[slot], high)
		c.n[slot] += int64(n)
	case function.Stddev:
		for i := lo; i < hi; i++ {
			if col.Has(i) {
				c.addDistance(slot, float64(values[i]), 0, 1)
			}
		}
	case function.Min:
		if i := least(values, col.Present, lo, hi); i >= 0 {
			return c.selectRow(slot, times[i], col, i)
		}
	case function.Max:
		if i := greatest(values, col.Present, lo, hi); i >= 0 {
			return c.selectRow(slot, times[i], col, i)
		}
	}
	return -1
}

// selectRow keeps row i if it is better than what the slot has; it gives i if
// so, otherwise -1.
func (c *cells) selectRow(slot int, at int64, col *model.Column, i int) int {
	if c.t == model.String {
		text := col.Bytes(i)
		if c.n[slot] > 0 && !c.betterText(slot, at, string(text)) {
			return -1
		}
		c.textBytes += len(text) - len(c.text[slot])
		c.text[slot] = string(text)
	} else {
		if c.n[slot] > 0 && !c.better(slot, at, col.Bits[i]) {
			return -1
		}
		c.v[slot] = col.Bits[i]
	}
	c.n[slot], c.at[slot] = 1, at
	return i
}

// better reports whether a value is preferred over the slot's. Of equal
// minima and maxima the earliest wins, of values at one time the greater, but
// for the first boolean, where it is false.
func (c *cells) better(slot int, at int64, bits uint64) bool {
	order := c.order(bits, c.v[slot])
	switch c.f {
	case function.Min:
		return order < 0 || order == 0 && at < c.at[slot]
	case function.Max:
		return order > 0 || order == 0 && at < c.at[slot]
	case function.First:
		if c.t == model.Boolean {
			order = -order
		}
		return at < c.at[slot] || at == c.at[slot] && order > 0
	}
	return at > c.at[slot] || at == c.at[slot] && order > 0
}

func (c *cells) betterText(slot int, at int64, text string) bool {
	if at == c.at[slot] {
		return text > c.text[slot]
	}
	return (c.f == function.First) == (at < c.at[slot])
}

// order compares values by their bits.
func (c *cells) order(x, y uint64) int { return function.Order(c.t, x, y) }

func compare[T number](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// addStats takes in a whole granule by its statistics, if it can. timed is
// whether the time of a minimum or maximum matters, rows the number of rows,
// r their times. keep is whether a value that is selected has to be loaded
// anyway.
func (c *cells) addStats(slot int, s model.Stats, rows int, r model.TimeRange, timed, keep bool) bool {
	if s.Count == 0 {
		return true
	}
	if c.f == function.Stddev || c.f.Collects() {
		return false
	}
	switch c.f {
	case function.Count:
		c.n[slot] += int64(s.Count)
		return true
	case function.Sum, function.Mean:
		c.n[slot] += int64(s.Count)
		c.addSum(slot, s.Sum)
		return true
	case function.Spread:
		if c.n[slot] == 0 || c.order(s.Min, c.v[slot]) < 0 {
			c.v[slot] = s.Min
		}
		if c.n[slot] == 0 || c.order(s.Max, c.w[slot]) > 0 {
			c.w[slot] = s.Max
		}
		c.n[slot] += int64(s.Count)
		return true
	}
	at, bits := r.Min, s.Min
	switch c.f {
	case function.Max:
		bits = s.Max
	case function.First:
		bits = s.First
	case function.Last:
		at, bits = r.Max, s.Last
	}
	earliest := c.f == function.Min || c.f == function.Max
	if c.n[slot] > 0 {
		// At best, the value is at one end of the granule.
		switch {
		case c.f == function.First && at > c.at[slot], c.f == function.Last && at < c.at[slot]:
			return true
		case earliest && !c.better(slot, at, bits):
			return true
		}
	}
	switch {
	case keep || c.t == model.String:
		return false
	case earliest && timed, !earliest && s.Count < rows:
		return false
	case earliest:
		at = 0
	}
	if c.n[slot] == 0 || c.better(slot, at, bits) {
		c.n[slot], c.v[slot], c.at[slot] = 1, bits, at
	}
	return true
}

func (c *cells) addSum(slot int, bits uint64) {
	if c.t == model.Float {
		view[float64](c.v)[slot] += math.Float64frombits(bits)
		return
	}
	c.v[slot] += bits
}

// addDistance takes in n values with a mean and a sum of squared distances
// from it.
func (c *cells) addDistance(slot int, mean, distances, n float64) {
	have := float64(c.n[slot])
	v, w := view[float64](c.v), view[float64](c.w)
	delta := mean - v[slot]
	v[slot] += delta * n / (have + n)
	w[slot] += distances + delta*delta*have*n/(have+n)
	c.n[slot] += int64(n)
}

// merge takes in row i of the states that appendColumns made. It reports whether
// that row's selected value was taken.
func (c *cells) merge(slot int, states []model.Column, i int) bool {
	n := int64(states[0].Bits[i])
	if n == 0 {
		return false
	}
	switch c.f {
	case function.Count:
		c.n[slot] += n
		return false
	case function.Sum, function.Mean:
		c.addSum(slot, states[1].Bits[i])
		c.n[slot] += n
		return false
	case function.Spread:
		if c.n[slot] == 0 || c.order(states[1].Bits[i], c.v[slot]) < 0 {
			c.v[slot] = states[1].Bits[i]
		}
		if c.n[slot] == 0 || c.order(states[2].Bits[i], c.w[slot]) > 0 {
			c.w[slot] = states[2].Bits[i]
		}
		c.n[slot] += n
		return false
	}
	switch {
	case c.f == function.Stddev:
		c.addDistance(slot, math.Float64frombits(states[1].Bits[i]), math.Float64frombits(states[2].Bits[i]), float64(n))
		return false
	case c.f.Collects():
		c.n[slot] += n
		c.list[slot] = append(c.list[slot], states[1].Bytes(i)...)
		c.listBytes += len(states[1].Bytes(i))
		return false
	}
	return c.selectRow(slot, int64(states[2].Bits[i]), &states[1], i) >= 0
}

// appendColumns adds the states of the slots in the order given, as
// function.ID.States describes them.
func (c *cells) appendColumns(dst []model.Column, slots []int32) []model.Column {
	for _, t := range c.states {
		dst = append(dst, model.Column{Field: model.Field{Type: t}})
	}
	out := dst[len(dst)-len(c.states):]
	out[0].Bits = gather(c.n, slots)
	if len(out) == 1 {
		return dst
	}
	if c.f.Collects() {
		for _, s := range slots {
			out[1].AppendText(c.list[s])
		}
	} else if c.t == model.String {
		for _, s := range slots {
			out[1].AppendText([]byte(c.text[s]))
		}
	} else {
		out[1].Bits = gather(c.v, slots)
	}
	switch {
	case c.f == function.Spread || c.f == function.Stddev:
		out[2].Bits = gather(c.w, slots)
	case c.f.Selects():
		out[2].Bits = gather(c.at, slots)
	}
	return dst
}

func gather[T int64 | uint64](from []T, slots []int32) []uint64 {
	out := make([]uint64, len(slots))
	for i, s := range slots {
		out[i] = uint64(from[s])
	}
	return out
}
