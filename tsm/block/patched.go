package block

import (
	"encoding/binary"
	"math/bits"
)

// appendPatched adds e.packed: the factor that the reader multiplies by, the
// width, the low width bits of each number, and the high bits of those that
// are longer, by position.
func (e *Encoder) appendPatched(dst []byte, s *series) []byte {
	dst = binary.AppendUvarint(dst, s.factor)
	width := s.width
	e.at = e.at[:0]
	if !s.whole {
		for i, v := range e.packed {
			if bits.Len64(v) > width {
				e.at = append(e.at, uint32(i))
			}
		}
	}
	dst = append(dst, byte(width))
	dst = binary.AppendUvarint(dst, uint64(len(e.at)))
	prev := uint32(0)
	for _, i := range e.at {
		dst = binary.AppendUvarint(dst, uint64(i-prev))
		dst = binary.AppendUvarint(dst, e.packed[i]>>width)
		prev = i
	}
	return appendPacked(dst, e.packed, width)
}

// patched reads what appendPatched wrote into dst, which says how many numbers
// there are, and must come to the end of r.
func (r *reader) patched(dst []uint64) (factor uint64, ok bool) {
	factor = r.uvarint()
	width := int(r.byte())
	n := r.uvarint()
	if r.bad || width > 64 || n > uint64(len(dst)) {
		return 0, false
	}
	patches := *r // read again below, when dst is filled
	for range n {
		r.uvarint()
		r.uvarint()
	}
	if r.bad || len(r.p) != packedLen(len(dst), width) {
		return 0, false
	}
	unpack(dst, r.p, width)
	at := uint64(0)
	for range n {
		at += patches.uvarint()
		high := patches.uvarint()
		if at >= uint64(len(dst)) {
			return 0, false
		}
		dst[at] |= high << width
	}
	return factor, true
}
