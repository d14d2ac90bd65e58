package block

import (
	"encoding/binary"
	"slices"

	"github.com/parquet-go/bitpack"
)

// packedLen gives the bytes that n values of a width in bits take.
func packedLen(n, width int) int { return (n*width + 7) / 8 }

// appendPacked adds the low width bits of each value, least significant first,
// without gaps; the last byte is filled up with zeros.
func appendPacked(dst []byte, values []uint64, width int) []byte {
	if width == 0 {
		return dst
	}
	start, end := len(dst), len(dst)+packedLen(len(values), width)
	dst = slices.Grow(dst, end-start+8)
	out := dst[start : end+8] // whole words are written
	mask := ^uint64(0) >> (64 - width)
	acc, used := uint64(0), 0
	for _, v := range values {
		v &= mask
		acc |= v << (used & 63)
		used += width
		if used >= 64 {
			binary.LittleEndian.PutUint64(out, acc)
			out = out[8:]
			used -= 64
			// Shifts of 64 and more give 0 in Go, so used == 0 needs no branch.
			acc = v >> (width - used)
		}
	}
	if used > 0 {
		binary.LittleEndian.PutUint64(out, acc)
	}
	return dst[:end]
}

// unpack fills dst from p, which appendPacked made of len(dst) values: p has
// packedLen(len(dst), width) bytes at least.
//
// The loops of package bitpack are in assembly, where there are some for the
// processor, and read up to bitpack.PaddingInt64 bytes beyond what they unpack.
// So the last values are unpacked from a copy.
func unpack(dst []uint64, p []byte, width int) {
	if width == 0 {
		clear(dst)
		return
	}
	if spare := len(p) - bitpack.PaddingInt64; spare > 0 {
		n := min(len(dst), spare*8/width) &^ 7 // these end with a byte
		bitpack.Unpack(dst[:n], p, uint(width))
		dst, p = dst[n:], p[n*width/8:]
	}
	if len(dst) > 0 {
		// The bytes that were to spare, and fewer than eight values.
		var last [2*bitpack.PaddingInt64 + 8*8]byte
		copy(last[:len(last)-bitpack.PaddingInt64], p[:packedLen(len(dst), width)])
		bitpack.Unpack(dst, last[:], uint(width))
	}
}

// load gives the 64 bits of p from a bit on, zeros beyond its end.
func load(p []byte, bit int) uint64 {
	p = p[bit>>3:]
	shift := bit & 7
	if len(p) >= 9 {
		return binary.LittleEndian.Uint64(p)>>shift | uint64(p[8])<<(64-shift)
	}
	var b [9]byte
	copy(b[:], p)
	return binary.LittleEndian.Uint64(b[:])>>shift | uint64(b[8])<<(64-shift)
}
