package lineprotocol

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/varvedb/varve/model"
)

const (
	// exactDigits is how many decimal digits fit a uint64 whatever they are.
	exactDigits = 19
	// maxExactMantissa is the largest integer up to which every one is a float64.
	maxExactMantissa = 1 << 53
)

// powersOfTen are the powers of ten that a float64 holds exactly. A mantissa up
// to maxExactMantissa multiplied or divided by one of them is rounded once, so
// the result is the float64 nearest to the decimal number.
var powersOfTen = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// readNumber reads the number that b starts with and gives its type, its bits
// and how many bytes it has. It gives length 0 for what is not a number that
// InfluxDB takes, and for some very long ones that it does; the caller checks
// what follows the number.
func readNumber(b []byte, unsigned bool) (typ model.FieldType, bits uint64, length int) {
	i := 0
	negative := false
	if len(b) > 0 && b[0] == '-' {
		negative = true
		i = 1
	}
	var mantissa uint64
	start := i
	for i < len(b) {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		mantissa = mantissa*10 + uint64(d)
		i++
	}
	digits := i - start
	if i < len(b) {
		switch b[i] {
		case 'i':
			if digits == 0 || digits >= exactDigits {
				return readLongInteger(b, i)
			}
			v := int64(mantissa)
			if negative {
				v = -v
			}
			return model.Integer, uint64(v), i + 1
		case 'u':
			if !unsigned || negative || digits == 0 || digits > exactDigits {
				return 0, 0, 0
			}
			return model.Unsigned, mantissa, i + 1
		}
	}
	scale := 0
	if i < len(b) && b[i] == '.' {
		i++
		point := i
		for i < len(b) {
			d := b[i] - '0'
			if d > 9 {
				break
			}
			mantissa = mantissa*10 + uint64(d)
			i++
		}
		scale = point - i
		digits -= scale
	}
	if digits == 0 {
		return 0, 0, 0
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		exponent, n := readExponent(b[i+1:])
		if n == 0 {
			return 0, 0, 0
		}
		i += 1 + n
		scale += exponent
	}
	if digits < exactDigits && mantissa <= maxExactMantissa && scale >= -22 && scale <= 22 {
		f := float64(mantissa)
		if scale < 0 {
			f /= powersOfTen[-scale]
		} else {
			f *= powersOfTen[scale]
		}
		if negative {
			f = -f
		}
		return model.Float, math.Float64bits(f), i
	}
	f, err := strconv.ParseFloat(text(b[:i]), 64)
	if err != nil {
		return 0, 0, 0
	}
	return model.Float, math.Float64bits(f), i
}

// shortInteger is readNumber for integers of up to 4 digits without a sign, in
// a form that the compiler puts in place.
func shortInteger(b []byte) (bits uint64, length int) {
	for i := 0; i < len(b) && i < 5; i++ {
		d := b[i] - '0'
		if d > 9 {
			if b[i] == 'i' && i > 0 {
				return bits, i + 1
			}
			break
		}
		bits = bits*10 + uint64(d)
	}
	return 0, 0
}

// readExponent reads the digits after an "e". Exponents beyond four digits are
// cut: a float64 overflows or vanishes long before.
func readExponent(b []byte) (exponent, length int) {
	i := 0
	negative := false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		negative = b[i] == '-'
		i++
	}
	start := i
	for i < len(b) {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		exponent = min(exponent*10+int(d), 9999)
		i++
	}
	if i == start {
		return 0, 0
	}
	if negative {
		exponent = -exponent
	}
	return exponent, i
}

// readLongInteger reads the integer whose "i" is at end.
func readLongInteger(b []byte, end int) (model.FieldType, uint64, int) {
	v, err := strconv.ParseInt(text(b[:end]), 10, 64)
	if err != nil {
		return 0, 0, 0
	}
	return model.Integer, uint64(v), end + 1
}

// readBoolean is readNumber for booleans.
func readBoolean(b []byte) (bits uint64, length int) {
	n := 0
	for n < len(b) && n < 6 && (b[n]|0x20) >= 'a' && (b[n]|0x20) <= 'z' {
		n++
	}
	switch string(b[:n]) {
	case "t", "T", "true", "True", "TRUE":
		return 1, n
	case "f", "F", "false", "False", "FALSE":
		return 0, n
	}
	return 0, 0
}

// text gives b as a string that shares its memory, for calls that keep neither.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
