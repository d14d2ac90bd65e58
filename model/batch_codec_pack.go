package model

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Whole numbers are packed by frame of reference: with the least of them as
// base, each is base + unit*x, and every x takes the same 0, 1, 2, 4 or 8
// bytes. The unit is a power of two that all differences share, which is what
// floats of few digits have in common, or for times a power of ten.
//
//	width u8 | base u64 | unit uvarint | n * width bytes
//
// No number at all is packed as nothing.

// signFlip gives the bit to flip so that values of a type order as unsigned
// ones. Floats order as their bits do, which is good enough to find a base.
func signFlip(t FieldType) uint64 {
	if t == Integer {
		return 1 << 63
	}
	return 0
}

// timeUnits are the precisions of InfluxDB in ns, coarsest first.
var timeUnits = [...]uint64{1e9, 1e6, 1e3}

func appendTimes(dst []byte, times []int64) []byte {
	if len(times) == 0 {
		return dst
	}
	base, spread, _ := reference(times, 1<<63)
	for _, unit := range timeUnits {
		if spread >= unit && allMultiples(times, base, unit) {
			return appendDivided(dst, times, base, spread, unit)
		}
	}
	return appendPacked(dst, times, 1<<63)
}

func allMultiples(times []int64, base, unit uint64) bool {
	for _, t := range times {
		if (uint64(t)-base)%unit != 0 {
			return false
		}
	}
	return true
}

// reference gives the least number, the greatest difference from it, and how
// many low bits all numbers have in common.
func reference[T uint32 | uint64 | int64](values []T, flip uint64) (base, spread uint64, shift int) {
	first := uint64(values[0]) ^ flip
	lo, hi, differ := first, first, uint64(0)
	for _, v := range values {
		x := uint64(v) ^ flip
		lo = min(lo, x)
		hi = max(hi, x)
		differ |= x ^ first
	}
	if differ == 0 {
		return lo ^ flip, 0, 0
	}
	return lo ^ flip, hi - lo, bits.TrailingZeros64(differ)
}

func widthOf(x uint64) int {
	switch {
	case x == 0:
		return 0
	case x < 1<<8:
		return 1
	case x < 1<<16:
		return 2
	case x < 1<<32:
		return 4
	}
	return 8
}

// appendPacked packs numbers; flip is the sign bit when they are signed.
func appendPacked[T uint32 | uint64 | int64](dst []byte, values []T, flip uint64) []byte {
	if len(values) == 0 {
		return dst
	}
	base, spread, shift := reference(values, flip)
	width := widthOf(spread >> shift)
	dst = appendReference(dst, width, base, 1<<shift)
	n := len(dst)
	dst = slices.Grow(dst, len(values)*width)[:n+len(values)*width]
	out := dst[n:]
	switch width {
	case 1:
		out = out[:len(values)]
		for i, v := range values {
			out[i] = byte((uint64(v) - base) >> shift)
		}
	case 2:
		for i, v := range values {
			binary.LittleEndian.PutUint16(out[2*i:2*i+2:2*i+2], uint16((uint64(v)-base)>>shift))
		}
	case 4:
		for i, v := range values {
			binary.LittleEndian.PutUint32(out[4*i:4*i+4:4*i+4], uint32((uint64(v)-base)>>shift))
		}
	case 8:
		for i, v := range values {
			binary.LittleEndian.PutUint64(out[8*i:8*i+8:8*i+8], (uint64(v)-base)>>shift)
		}
	}
	return dst
}

// appendDivided packs times whose differences are multiples of unit.
func appendDivided(dst []byte, times []int64, base, spread, unit uint64) []byte {
	width := widthOf(spread / unit)
	dst = appendReference(dst, width, base, unit)
	var x [8]byte
	for _, t := range times {
		binary.LittleEndian.PutUint64(x[:], (uint64(t)-base)/unit)
		dst = append(dst, x[:width]...)
	}
	return dst
}

func appendReference(dst []byte, width int, base, unit uint64) []byte {
	dst = append(dst, byte(width))
	dst = binary.LittleEndian.AppendUint64(dst, base)
	return binary.AppendUvarint(dst, unit)
}

// unpack reads len(out) packed numbers and gives the bytes after them. Numbers
// that do not fit into T are cut: what they may be is for the caller to check.
func unpack[T uint32 | uint64 | int64](out []T, b []byte) (rest []byte, ok bool) {
	if len(out) == 0 {
		return b, true
	}
	if len(b) < 9 {
		return nil, false
	}
	width, base := int(b[0]), binary.LittleEndian.Uint64(b[1:])
	unit, n := binary.Uvarint(b[9:])
	if n <= 0 {
		return nil, false
	}
	b = b[9+n:]
	switch width {
	case 0, 1, 2, 4, 8:
	default:
		return nil, false
	}
	if len(b)/max(width, 1) < len(out) && width > 0 {
		return nil, false
	}
	in := b[:len(out)*width]
	switch width {
	case 0:
		for i := range out {
			out[i] = T(base)
		}
	case 1:
		for i := range out {
			out[i] = T(base + unit*uint64(in[i]))
		}
	case 2:
		for i := range out {
			out[i] = T(base + unit*uint64(binary.LittleEndian.Uint16(in[2*i:2*i+2:2*i+2])))
		}
	case 4:
		for i := range out {
			out[i] = T(base + unit*uint64(binary.LittleEndian.Uint32(in[4*i:4*i+4:4*i+4])))
		}
	case 8:
		for i := range out {
			out[i] = T(base + unit*binary.LittleEndian.Uint64(in[8*i:8*i+8:8*i+8]))
		}
	}
	return b[len(in):], true
}
