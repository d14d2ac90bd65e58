package block

import (
	"encoding/binary"
	"math/bits"

	"github.com/varvedb/varve/model"
)

// The kinds of numbers that a table is made for. They are in files and never
// change.
const (
	kindInts       = 0 // the 64 bits of each value
	kindReal       = 1 // floats, by realOrder
	kindDictionary = 2 // strings
	kindDecimal    = 3 // floats that are integers divided by 10^(kind-kindDecimal)
)

// transform says how numbers become symbols: residuals are what an order of
// differences leaves, and each is factor·(base + symbol·2^low + low bits).
type transform struct {
	kind   uint8
	order  uint8 // 0: from the anchor of the block; 1: differences; 2: differences of these
	sparse bool  // only residuals that are not zero are kept, and how many zeros come before each
	factor uint64
	base   uint64
	low    uint8  // bits of a residual that are kept as they are
	gapLow uint8  // the same of a run of zeros
	anchor uint64 // what the anchors of blocks are kept relative to
}

// residuals gives how many of m values are kept as residuals.
func (t *transform) residuals(m int) int { return max(m-int(t.order), 0) }

// append adds the transform as a table begins.
func (t *transform) append(dst []byte) []byte {
	form := t.order
	if t.sparse {
		form |= 4
	}
	dst = append(dst, t.kind, form)
	dst = binary.AppendUvarint(dst, t.factor)
	dst = binary.AppendVarint(dst, int64(t.base))
	dst = binary.AppendVarint(dst, int64(t.anchor))
	dst = append(dst, t.low)
	if t.sparse {
		dst = append(dst, t.gapLow)
	}
	return dst
}

func (r *reader) transform() (t transform, err error) {
	t.kind = r.byte()
	form := r.byte()
	t.order, t.sparse = form&3, form&4 != 0
	t.factor = r.uvarint()
	t.base = uint64(r.varint())
	t.anchor = uint64(r.varint())
	t.low = r.byte()
	if t.sparse {
		t.gapLow = r.byte()
	}
	if r.bad || t.kind == kindDictionary || t.kind > kindDecimal+maxExponent || form > 7 || t.order > 2 || t.sparse && t.order != 1 ||
		t.low >= 64 || t.gapLow > 8 {
		return t, model.ErrCorrupt
	}
	return t, nil
}

// realOne is what 1 would be in realOrder, but for its being 0 there.
const realOne = 1023 << 53

// realOrder moves the sign of a float between exponent and fraction, and 1 to
// 0: then floats of about one size are near to one another, whatever their
// signs, and their high bits are few.
func realOrder(v uint64) uint64 {
	return (v<<1&^(1<<53-1) | v>>63<<52 | v&(1<<52-1)) - realOne
}

// realValue is the inverse of realOrder.
func realValue(u uint64) uint64 {
	u += realOne
	return u>>53<<52 | u>>52<<63 | u&(1<<52-1)
}

// quotient divides residuals by a factor without a division: the low zeros of
// the factor by a shift, the odd rest by its inverse modulo 2^64.
type quotient struct {
	factor, inverse uint64
	shift           int
}

func quotientBy(factor uint64) quotient {
	q := quotient{factor: factor, shift: bits.TrailingZeros64(factor)}
	odd := factor >> q.shift
	q.inverse = odd // right in the lowest 3 bits; each step doubles them
	for range 5 {
		q.inverse *= 2 - odd*q.inverse
	}
	return q
}

// of gives residual/factor, and whether that times factor is the residual.
func (q *quotient) of(residual uint64) (uint64, bool) {
	v := uint64(int64(residual)>>q.shift) * q.inverse
	return v, v*q.factor == residual
}
