package block

import "encoding/binary"

// Two streams of codes share one run of bytes: one begins at its start, the
// other at its end and goes backward, byte by byte. So two lookups, each of
// which has to wait for the one before it in its stream, are under way at a
// time, and no length need be kept. Within a byte the first bit is the lowest.

// lookup decodes by the next maxCodeBits bits: an entry has the number of bits
// used in its low byte, then up to lookupSymbols symbols, then their number.
type lookup struct {
	entries [1 << maxCodeBits]uint64
	lengths [symbols]uint8
}

const (
	lookupSymbols = 6
	lookupMask    = 1<<maxCodeBits - 1
	// lookups of maxCodeBits each fit into one load of 8 bytes that begins
	// within a byte.
	lookups = 5
	// fastRoom is what so many lookups may write: the last one writes 8 bytes.
	fastRoom = (lookups-1)*lookupSymbols + 8
)

// build makes t decode what has the code.
func (t *lookup) build(c *code) {
	t.lengths = c.lengths
	var one [1 << maxCodeBits]uint16 // symbol, and length above it
	codes := c.codes()
	for s, v := range codes {
		length := v & 255
		if length == 0 {
			continue
		}
		for i := v >> 8; i < 1<<maxCodeBits; i += 1 << length {
			one[i] = uint16(s) | uint16(length)<<8
		}
	}
	for i := range t.entries {
		rest, used := i, 0
		n := uint64(0)
		found := uint64(0)
		for n < lookupSymbols {
			s := one[rest]
			length := int(s >> 8)
			if used+length > maxCodeBits {
				break
			}
			found |= uint64(s&255) << (8 + 8*n)
			n++
			used += length
			rest >>= length
		}
		t.entries[i] = found | uint64(used) | n<<56
	}
}

// decodeStreams fills dst[:h] from the stream at the start of p and dst[h:] from the
// one at its end; together they must take all of p.
func decodeStreams(dst []byte, h int, a, b *lookup, p []byte) bool {
	i, j := 0, h          // the next symbol of each
	bitA, bitB := 0, 0    // the next bit of each
	stop := len(p)*8 - 64 // the last bit at which 8 bytes can be loaded
	for i+fastRoom <= h && j+fastRoom <= len(dst) && bitA <= stop && bitB <= stop {
		x := binary.LittleEndian.Uint64(p[bitA>>3:]) >> (bitA & 7)
		y := binary.BigEndian.Uint64(p[len(p)-8-bitB>>3:]) >> (bitB & 7)
		for range lookups {
			e, f := a.entries[x&lookupMask], b.entries[y&lookupMask]
			binary.LittleEndian.PutUint64(dst[i:], e>>8)
			binary.LittleEndian.PutUint64(dst[j:], f>>8)
			x >>= e & 63
			y >>= f & 63
			bitA += int(e & 63)
			bitB += int(f & 63)
			i += int(e >> 56)
			j += int(f >> 56)
		}
	}
	bitA, okA := a.rest(dst[i:h], p, bitA, false)
	bitB, okB := b.rest(dst[j:], p, bitB, true)
	return okA && okB && (bitA+7)/8+(bitB+7)/8 == len(p)
}

// rest decodes one stream from a bit on, and gives the bit at which it ends.
func (t *lookup) rest(dst, p []byte, bit int, backward bool) (_ int, ok bool) {
	for len(dst) > 0 {
		if bit > 8*len(p) {
			return 0, false
		}
		var w uint64
		if backward {
			w = loadBackward(p, bit)
		} else {
			w = load(p, bit)
		}
		e := t.entries[w&lookupMask]
		if n := int(e >> 56); len(dst) >= 8 {
			binary.LittleEndian.PutUint64(dst, e>>8)
			dst = dst[n:]
			bit += int(e & 63)
			continue
		}
		for n := e >> 56; n > 0 && len(dst) > 0; n-- {
			e >>= 8
			dst[0] = byte(e)
			bit += int(t.lengths[byte(e)])
			dst = dst[1:]
		}
	}
	return bit, bit <= 8*len(p)
}

// loadBackward is load of the bytes of p from the last to the first.
func loadBackward(p []byte, bit int) uint64 {
	p = p[:len(p)-bit>>3]
	if len(p) >= 8 {
		return binary.BigEndian.Uint64(p[len(p)-8:]) >> (bit & 7)
	}
	var b [8]byte
	copy(b[8-len(p):], p)
	return binary.BigEndian.Uint64(b[:]) >> (bit & 7)
}

// appendStreams adds syms[:h] and syms[h:] as decodeStreams reads them. a and b
// are the codes of each, as code.codes gives them.
func appendStreams(dst []byte, syms []byte, h int, a, b *[symbols]uint32) []byte {
	dst = appendCodes(dst, syms[:h], a)
	start := len(dst)
	dst = appendCodes(dst, syms[h:], b)
	for i, j := start, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

// appendCodes adds the codes of the symbols.
func appendCodes(dst []byte, syms []byte, codes *[symbols]uint32) []byte {
	// Room for the longest codes, and for the store of 8 bytes at their end.
	need := len(syms)*maxCodeBits/8 + 16
	if cap(dst)-len(dst) < need {
		dst = append(dst, make([]byte, need)...)[:len(dst)]
	}
	out := dst[len(dst) : len(dst)+need]
	at := 0
	acc, used := uint64(0), uint32(0)
	for len(syms) >= 4 {
		c0, c1, c2, c3 := codes[syms[0]], codes[syms[1]], codes[syms[2]], codes[syms[3]]
		syms = syms[4:]
		acc |= uint64(c0>>8) << (used & 63)
		used += c0 & 255
		acc |= uint64(c1>>8) << (used & 63)
		used += c1 & 255
		acc |= uint64(c2>>8) << (used & 63)
		used += c2 & 255
		acc |= uint64(c3>>8) << (used & 63)
		used += c3 & 255
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(used >> 3)
		acc >>= used &^ 7 & 63
		used &= 7
	}
	for _, s := range syms {
		c := codes[s]
		acc |= uint64(c>>8) << (used & 63)
		used += c & 255
	}
	binary.LittleEndian.PutUint64(out[at:], acc)
	at += int(used+7) >> 3
	return dst[:len(dst)+at]
}
