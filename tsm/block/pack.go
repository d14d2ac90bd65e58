package block

import "encoding/binary"

// packedLen gives the bytes that n values of a width in bits take.
func packedLen(n, width int) int { return (n*width + 7) / 8 }

// appendPacked adds the low width bits of each value, least significant first,
// without gaps; the last byte is filled up with zeros.
func appendPacked(dst []byte, values []uint64, width int) []byte {
	if width == 0 {
		return dst
	}
	mask := ^uint64(0) >> (64 - width)
	acc, used := uint64(0), 0
	for _, v := range values {
		v &= mask
		acc |= v << used
		used += width
		if used >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			used -= 64
			// Shifts of 64 and more give 0 in Go, so used == 0 needs no branch.
			acc = v >> (width - used)
		}
	}
	for ; used > 0; used -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// unpack fills dst from p, which appendPacked made of len(dst) values: p has
// packedLen(len(dst), width) bytes at least.
func unpack(dst []uint64, p []byte, width int) {
	if width == 0 {
		clear(dst)
		return
	}
	mask := ^uint64(0) >> (64 - width)
	i, bit := 0, 0
	if width <= 8 {
		i = unpackNarrow(dst, p, uint(width), mask)
		bit = i * width
	}
	// A value lies within the eight bytes from its first one as long as its
	// width and the up to seven bits before it fit: up to 57 bits.
	if width <= 57 && len(p) >= 8 {
		last := (len(p) - 8) * 8 // of the values that start in or before this byte
		safe := min(len(dst), last/width+1)
		for ; i < safe; i++ {
			dst[i] = binary.LittleEndian.Uint64(p[bit>>3:]) >> (bit & 7) & mask
			bit += width
		}
	}
	for ; i < len(dst); i++ {
		dst[i] = load(p, bit) & mask
		bit += width
	}
}

// unpackNarrow unpacks values of up to eight bits: eight of them lie in one
// load. It stops short of the end of p, and gives how many it unpacked.
func unpackNarrow(dst []uint64, p []byte, width uint, mask uint64) int {
	width &= 15 // tells the compiler that shifts below stay under 64
	i := 0
	for ; i+8 <= len(dst) && len(p) >= 8; i += 8 {
		v := binary.LittleEndian.Uint64(p)
		d := dst[i : i+8 : i+8]
		d[0] = v & mask
		v >>= width
		d[1] = v & mask
		v >>= width
		d[2] = v & mask
		v >>= width
		d[3] = v & mask
		v >>= width
		d[4] = v & mask
		v >>= width
		d[5] = v & mask
		v >>= width
		d[6] = v & mask
		v >>= width
		d[7] = v & mask
		p = p[width:]
	}
	return i
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
