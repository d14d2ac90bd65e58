package exec

import (
	"math/bits"

	"github.com/varvedb/varve/model"
)

// The kernels work on the rows from lo up to hi of a column's values; present
// says which of them count, nil is all.

// count gives the number of rows that have a value.
func count(col *model.Column, lo, hi int) int {
	if col.Present == nil {
		return hi - lo
	}
	n := 0
	for lo < hi && lo&63 != 0 {
		if col.Present.Get(lo) {
			n++
		}
		lo++
	}
	for ; lo+64 <= hi; lo += 64 {
		n += bits.OnesCount64(col.Present[lo>>6])
	}
	for ; lo < hi; lo++ {
		if col.Present.Get(lo) {
			n++
		}
	}
	return n
}

// sum adds the values one after the other, so that floats add up as they do in
// InfluxDB. Integers come to the same in any order.
func sum[T number](values []T, present model.Bitmap, lo, hi int) (s T, n int) {
	if present == nil {
		switch values := any(values).(type) {
		case []int64:
			return T(sumIntegers(values[lo:hi])), hi - lo
		case []uint64:
			return T(sumIntegers(values[lo:hi])), hi - lo
		}
		for _, v := range values[lo:hi] {
			s += v
		}
		return s, hi - lo
	}
	for i := lo; i < hi; i++ {
		if present.Get(i) {
			s += values[i]
			n++
		}
	}
	return s, n
}

// sumIntegers adds four values at a time, none of which waits for another.
func sumIntegers[T int64 | uint64](values []T) T {
	var a, b, c, d T
	for len(values) >= 4 {
		a += values[0]
		b += values[1]
		c += values[2]
		d += values[3]
		values = values[4:]
	}
	for _, v := range values {
		a += v
	}
	return a + b + c + d
}

// extremes gives the least and the greatest value.
func extremes[T number](values []T, present model.Bitmap, lo, hi int) (low, high T, n int) {
	for i := lo; i < hi; i++ {
		if !present.Get(i) {
			continue
		}
		v := values[i]
		if n == 0 {
			low, high = v, v
		}
		low, high = min(low, v), max(high, v)
		n++
	}
	return low, high, n
}

// least gives the first row with the least value, -1 where there is none.
func least[T number](values []T, present model.Bitmap, lo, hi int) int {
	best := -1
	if present == nil {
		if lo >= hi {
			return -1
		}
		best = lo
		low := values[lo]
		for i, v := range values[lo:hi] {
			if v < low {
				low, best = v, lo+i
			}
		}
		return best
	}
	for i := lo; i < hi; i++ {
		if present.Get(i) && (best < 0 || values[i] < values[best]) {
			best = i
		}
	}
	return best
}

// greatest gives the first row with the greatest value, -1 where there is none.
func greatest[T number](values []T, present model.Bitmap, lo, hi int) int {
	best := -1
	if present == nil {
		if lo >= hi {
			return -1
		}
		best = lo
		high := values[lo]
		for i, v := range values[lo:hi] {
			if v > high {
				high, best = v, lo+i
			}
		}
		return best
	}
	for i := lo; i < hi; i++ {
		if present.Get(i) && (best < 0 || values[i] > values[best]) {
			best = i
		}
	}
	return best
}
