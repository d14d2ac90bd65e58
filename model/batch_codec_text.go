package model

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/golang/snappy"
)

// Text is stored as
//
//	length uvarint | coding u8 | (snappy only: stored length u32) | bytes
const (
	textPlain  = 0
	textSnappy = 1

	// minSnappyText is where snappy begins to find something.
	minSnappyText = 64
	// maxSnappyText is what snappy takes at once.
	maxSnappyText = 1 << 30
)

// appendText adds text, compressed when that saves more than a tenth.
func appendText(dst, text []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	if mayCompress(len(text)) {
		coding := len(dst)
		dst = slices.Grow(dst, textHeaderBytes+snappy.MaxEncodedLen(len(text)))
		if out, ok := compress(dst, coding, text); ok {
			return out
		}
	}
	dst = append(dst, textPlain)
	return append(dst, text...)
}

// appendTextOf is appendText for n bytes that write puts together: in dst,
// behind where they go, so that they take no memory of their own.
func appendTextOf(dst []byte, n int, write func([]byte)) []byte {
	dst = binary.AppendUvarint(dst, uint64(n))
	coding, room := len(dst), 1
	if mayCompress(n) {
		room = textHeaderBytes + snappy.MaxEncodedLen(n)
	}
	dst = slices.Grow(dst, room+n)
	text := dst[coding+room : coding+room+n]
	write(text)
	if mayCompress(n) {
		if out, ok := compress(dst, coding, text); ok {
			return out
		}
	}
	dst = append(dst, textPlain)
	return append(dst, text...) // it may overlap with where it goes
}

// textHeaderBytes is what comes before compressed text.
const textHeaderBytes = 1 + 4

func mayCompress(n int) bool { return n >= minSnappyText && n <= maxSnappyText }

// compress writes text at the end of dst, which has room for it; ok is false
// where that saves too little. The coding is at the given place.
func compress(dst []byte, coding int, text []byte) (_ []byte, ok bool) {
	at := coding + textHeaderBytes
	stored := len(snappy.Encode(dst[at:at+snappy.MaxEncodedLen(len(text))], text))
	if stored+4 >= len(text)-len(text)/10 {
		return dst, false
	}
	dst = dst[:at+stored]
	dst[coding] = textSnappy
	binary.LittleEndian.PutUint32(dst[coding+1:], uint32(stored))
	return dst, true
}

// appendStrings adds the packed lengths of a String column's values, then
// their text. present is nil when every row has a value.
func appendStrings(dst []byte, c *Column, present Bitmap, scratch []uint64) (_ []byte, _ []uint64) {
	lengths := scratch[:0]
	if present == nil {
		start := uint32(0)
		for _, end := range c.Ends {
			lengths = append(lengths, uint64(end-start))
			start = end
		}
		dst = appendPacked(dst, lengths, 0)
		return appendText(dst, c.Text[:start]), lengths
	}
	var text []byte
	for i, w := range present {
		if i == len(present)-1 {
			w &= lastWordMask(len(c.Ends))
		}
		for ; w != 0; w &= w - 1 {
			value := c.Bytes(i<<6 + bits.TrailingZeros64(w))
			lengths = append(lengths, uint64(len(value)))
			text = append(text, value...)
		}
	}
	dst = appendPacked(dst, lengths, 0)
	return appendText(dst, text), lengths
}
