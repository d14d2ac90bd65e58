package block

import (
	"math"

	"github.com/varvedb/varve/model"
)

// The ways to keep floats. The numbers are in blocks and never change.
const (
	floatBits    = 0 // their bits, as integers
	floatDecimal = 1 // integers that divided by a power of ten give them, with exceptions
)

// maxExponent is the greatest power of ten tried: doubles have 15 to 17 digits.
const maxExponent = 14

// maxExact bounds the integers of which each is a double.
const maxExact = 1 << 53

var powersOfTen = [maxExponent + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

// decimal gives the integer that divided by scale is v bit for bit. Division
// and not multiplication by 1/scale: what decimal text is read to is the
// correctly rounded quotient, and so is the result of a division. -0, NaN and
// Inf have no such integer.
func decimal(v, scale float64) (int64, bool) {
	x := math.RoundToEven(v * scale)
	if !(x >= -maxExact && x <= maxExact) {
		return 0, false
	}
	d := int64(x)
	return d, math.Float64bits(float64(d)/scale) == math.Float64bits(v)
}

// exponent finds the smallest power of ten that suits at least seven of eight
// values in a sample; ok is false when there is none.
func exponent(values []uint64) (e int, ok bool) {
	const sample = 48
	stride := max(len(values)/sample, 1)
	var counts [maxExponent + 1]int
	n, fit := 0, 0
	hint := 0
	for i := 0; i < len(values); i += stride {
		n++
		v := math.Float64frombits(values[i])
		// What suits a small power suits a greater one, as long as the integer
		// is exact, so trying from the last one found on up would do; but the
		// smallest power is wanted, so look just below it first.
		from := 0
		if hint > 0 {
			if _, ok := decimal(v, powersOfTen[hint-1]); !ok {
				from = hint
			}
		}
		for e := from; e <= maxExponent; e++ {
			if _, ok := decimal(v, powersOfTen[e]); ok {
				counts[e]++
				fit++
				hint = e
				break
			}
		}
		if n >= 16 && fit == 0 {
			return 0, false
		}
	}
	if fit*8 < n*7 {
		return 0, false
	}
	sum := 0
	for e, c := range counts {
		if sum += c; sum*8 >= n*7 {
			return e, true
		}
	}
	return 0, false
}

// appendFloats adds a block of at least one float.
func (e *Encoder) appendFloats(dst []byte, values []uint64) []byte {
	if exp, ok := exponent(values); ok {
		if out, ok := e.appendDecimal(dst, values, exp); ok {
			return out
		}
	}
	return e.appendInts(append(dst, floatBits), values)
}

// appendDecimal adds floats as integers. ok is false when too many have none.
func (e *Encoder) appendDecimal(dst []byte, values []uint64, exp int) (_ []byte, ok bool) {
	scale := powersOfTen[exp]
	e.ints = resize(e.ints, len(values))
	e.at = e.at[:0]
	last := int64(0)
	for i, v := range values {
		d, ok := decimal(math.Float64frombits(v), scale)
		if !ok {
			e.at = append(e.at, uint32(i))
			d = last // costs least: a difference of zero
		}
		last = d
		e.ints[i] = uint64(d)
	}
	if len(e.at)*6 > len(values) {
		return dst, false
	}
	dst = append(dst, floatDecimal, byte(exp))
	dst = appendExceptions(dst, e.at, values)
	return e.appendInts(dst, e.ints), true
}

// decodeFloats is the inverse of appendFloats.
func decodeFloats(dst []uint64, p []byte) error {
	r := reader{p: p}
	switch r.byte() {
	case floatBits:
		return decodeInts(dst, r.p)
	case floatDecimal:
		return decodeDecimal(dst, &r)
	}
	return model.ErrCorrupt
}

func decodeDecimal(dst []uint64, r *reader) error {
	exp := r.byte()
	if r.bad || exp > maxExponent {
		return model.ErrCorrupt
	}
	count, exceptions := r.exceptions(len(dst))
	if r.bad {
		return model.ErrCorrupt
	}
	if err := decodeInts(dst, r.p); err != nil {
		return err
	}
	decimals(dst, int(exp))
	if !exceptions.except(dst, count) {
		return model.ErrCorrupt
	}
	return nil
}

// decimals makes floats of integers, each divided by 10^exp. The reciprocal put
// right by its remainder (Markstein, 1990) gives the same bits, but with the
// checks for the instruction in every call of math.FMA no sooner.
func decimals(dst []uint64, exp int) {
	if exp == 0 {
		for i, d := range dst {
			dst[i] = math.Float64bits(float64(int64(d)))
		}
		return
	}
	scale := powersOfTen[exp]
	for i, d := range dst {
		dst[i] = math.Float64bits(float64(int64(d)) / scale)
	}
}
