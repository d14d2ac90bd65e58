package block

import (
	"encoding/binary"
	"math/bits"

	"github.com/varvedb/varve/model"
)

// The ways to keep bits. The numbers are in blocks and never change.
const (
	bitsNone = 0 // all clear
	bitsAll  = 1 // all set
	bitsRaw  = 2 // eight to a byte, the first lowest
	bitsRuns = 3 // a count, then lengths of runs in turn, the first of clear bits; the last run is the rest
)

// appendBitmap adds the first n bits of b, which may be nil: all set.
func appendBitmap(dst []byte, b model.Bitmap, n int) []byte {
	if b == nil {
		return append(dst, bitsAll)
	}
	set, runs := 0, 1 // the first run, of clear bits, may be empty
	last := uint64(0)
	for i := range (n + 63) / 64 {
		w, left := b[i], n-64*i
		if left < 64 {
			w &= 1<<left - 1
		}
		set += bits.OnesCount64(w)
		change := w ^ (w<<1 | last)
		if left < 64 {
			change &= 1<<left - 1
		}
		runs += bits.OnesCount64(change)
		last = w >> 63
	}
	switch {
	case set == 0:
		return append(dst, bitsNone)
	case set == n:
		return append(dst, bitsAll)
	case 2*runs < (n+7)/8: // a length takes one or two bytes, three in long blocks
		return appendRuns(append(dst, bitsRuns), b, n, runs)
	}
	dst = append(dst, bitsRaw)
	for i := 0; i < n; i += 8 {
		v := byte(b[i>>6] >> (i & 63))
		if n-i < 8 {
			v &= 1<<(n-i) - 1
		}
		dst = append(dst, v)
	}
	return dst
}

func appendRuns(dst []byte, b model.Bitmap, n, runs int) []byte {
	dst = binary.AppendUvarint(dst, uint64(runs-1))
	start, set := 0, false
	for i := range n {
		if b.Get(i) != set {
			dst = binary.AppendUvarint(dst, uint64(i-start))
			start, set = i, !set
		}
	}
	return dst
}

// bitmap reads what appendBitmap wrote of n bits into dst's memory. It gives
// nil when all are set; the bits from n on are clear.
func (r *reader) bitmap(dst model.Bitmap, n int) (model.Bitmap, bool) {
	kind := r.byte()
	if r.bad {
		return nil, false
	}
	return r.bitmapOf(kind, dst, n)
}

// bitmapOf is bitmap after its first byte.
func (r *reader) bitmapOf(kind byte, dst model.Bitmap, n int) (model.Bitmap, bool) {
	if kind == bitsAll {
		return nil, true
	}
	dst = resize(dst, (n+63)/64)
	clear(dst)
	switch kind {
	case bitsNone:
	case bitsRaw:
		p := r.take(uint64(n+7) / 8)
		if r.bad || n&7 != 0 && p[len(p)-1]>>(n&7) != 0 {
			return nil, false
		}
		for i, v := range p {
			dst[i>>3] |= uint64(v) << (8 * (i & 7))
		}
	case bitsRuns:
		if !r.runs(dst, n) {
			return nil, false
		}
	default:
		return nil, false
	}
	return dst, true
}

// runs sets those of the first n bits of dst that lie in runs of set bits.
func (r *reader) runs(dst model.Bitmap, n int) bool {
	count := r.uvarint()
	at, set := 0, false
	for range count {
		length := r.uvarint()
		if r.bad || length > uint64(n-at) {
			return false
		}
		if set {
			setRange(dst, at, at+int(length))
		}
		at, set = at+int(length), !set
	}
	if set {
		setRange(dst, at, n)
	}
	return !r.bad
}

// setRange sets bits from to to-1.
func setRange(b model.Bitmap, from, to int) {
	for from < to {
		end := min((from|63)+1, to)
		b[from>>6] |= (^uint64(0) >> (64 - (end - from))) << (from & 63)
		from = end
	}
}
