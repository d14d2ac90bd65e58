package block

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/varvedb/varve/model"
)

// Array is numbers that can be read one at a time where they lie, without
// decoding the others: each is a base, plus its index times a slope, plus some
// bits. Sorted numbers, such as offsets, take the bits by which they leave a
// straight line.
type Array struct {
	packed []byte
	base   uint64
	slope  uint64
	width  int
	n      int
}

// AppendArray adds an array of the numbers.
func AppendArray(dst []byte, values []uint64) []byte {
	base, width := level(values, 0)
	slope := uint64(0)
	if n := len(values); n > 1 {
		s := uint64(int64(values[n-1]-values[0]) / int64(n-1))
		if b, w := level(values, s); w < width {
			base, width, slope = b, w, s
		}
	}
	dst = binary.AppendVarint(dst, int64(base))
	dst = binary.AppendVarint(dst, int64(slope))
	dst = append(dst, byte(width))
	var rest [64]uint64 // of any width they end with a byte
	line := base
	for len(values) > 0 {
		n := min(len(values), len(rest))
		for i, v := range values[:n] {
			rest[i] = v - line
			line += slope
		}
		dst = appendPacked(dst, rest[:n], width)
		values = values[n:]
	}
	return dst
}

// level gives the least number above a line of a slope, and the bits by which
// the others differ from it.
func level(values []uint64, slope uint64) (base uint64, width int) {
	if len(values) == 0 {
		return 0, 0
	}
	low, high := int64(values[0]), int64(values[0])
	line := uint64(0)
	for _, v := range values {
		d := int64(v - line)
		low, high = min(low, d), max(high, d)
		line += slope
	}
	return uint64(low), bits.Len64(uint64(high) - uint64(low))
}

// ReadArray finds an array of n numbers at the start of p and gives what
// follows it. The array keeps p.
func ReadArray(p []byte, n int) (a Array, rest []byte, err error) {
	r := reader{p: p}
	base, slope := r.varint(), r.varint()
	width := r.byte()
	if r.bad || n < 0 || width > 64 || n > math.MaxInt/64-8 {
		return Array{}, nil, model.ErrCorrupt
	}
	a = Array{base: uint64(base), slope: uint64(slope), width: int(width), n: n}
	a.packed = r.take(uint64(packedLen(n, a.width)))
	if r.bad {
		return Array{}, nil, model.ErrCorrupt
	}
	return a, r.p, nil
}

// Len gives the number of numbers.
func (a *Array) Len() int { return a.n }

// Get gives number i; i must be below Len.
func (a *Array) Get(i int) uint64 {
	v := a.base + a.slope*uint64(i)
	if a.width > 0 {
		v += load(a.packed, i*a.width) & (^uint64(0) >> (64 - a.width))
	}
	return v
}
