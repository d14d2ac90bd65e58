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
	// fastRoom is what all of them but the last may fill.
	fastRoom = (lookups - 1) * lookupSymbols
)

// build makes t decode what has the code.
func (t *lookup) build(c *code) {
	t.lengths = c.lengths
	// At first an entry is its first symbol, and the length of that above it.
	for s, v := range c.codes() {
		if length := v & 255; length != 0 {
			for i := v >> 8; i < 1<<maxCodeBits; i += 1 << length {
				t.entries[i] = uint64(length)<<8 | uint64(s)
			}
		}
	}
	// Index 0 is the symbol with the shortest code again and again, as is every
	// other one from its end on: what comes after the first symbol of an entry
	// is in the entry of the bits above it, a lower one, but for symbols that
	// are of bits beyond the last or too many.
	for i := range t.entries {
		symbol, length := t.entries[i]&255, t.entries[i]>>8
		if i == 0 {
			n := min(lookupSymbols, maxCodeBits/length)
			found := symbol * 0x010101010101 >> (8 * (lookupSymbols - n))
			t.entries[0] = n<<56 | found<<8 | n*length
			continue
		}
		rest := t.entries[i>>length]
		n, used, found := rest>>56, rest&255, rest>>8&(1<<(8*lookupSymbols)-1)
		for n == lookupSymbols || used+length > maxCodeBits {
			n--
			used -= uint64(t.lengths[found>>(8*n)])
			found &= 1<<(8*n) - 1
		}
		t.entries[i] = (n+1)<<56 | (found<<8|symbol)<<8 | (used + length)
	}
}

// streamRoom is what must be free behind the symbols of a stream: a lookup
// stores 8 bytes.
const streamRoom = 8

// decodeStreams fills all of first but streamRoom from the stream at the start of
// p, and second in the same way from the one at its end; together they must take
// all of p.
func decodeStreams(first, second []byte, a, b *lookup, p []byte) bool {
	i, j := 0, 0 // the next symbol of each
	m, n := len(first)-streamRoom, len(second)-streamRoom
	bitA, bitB := 0, 0    // the next bit of each
	stop := len(p)*8 - 64 // the last bit at which 8 bytes can be loaded
	for i <= m-fastRoom && j <= n-fastRoom && bitA <= stop && bitB <= stop {
		x := binary.LittleEndian.Uint64(p[bitA>>3:]) >> (bitA & 7)
		y := binary.BigEndian.Uint64(p[len(p)-8-bitB>>3:]) >> (bitB & 7)
		for range lookups {
			e, f := a.entries[x&lookupMask], b.entries[y&lookupMask]
			binary.LittleEndian.PutUint64(first[i:], e>>8)
			binary.LittleEndian.PutUint64(second[j:], f>>8)
			x >>= e & 63
			y >>= f & 63
			bitA += int(e & 63)
			bitB += int(f & 63)
			i += int(e >> 56)
			j += int(f >> 56)
		}
	}
	for i < m && j < n && bitA <= stop && bitB <= stop {
		x := binary.LittleEndian.Uint64(p[bitA>>3:]) >> (bitA & 7)
		y := binary.BigEndian.Uint64(p[len(p)-8-bitB>>3:]) >> (bitB & 7)
		e, f := a.entries[x&lookupMask], b.entries[y&lookupMask]
		binary.LittleEndian.PutUint64(first[i:], e>>8)
		binary.LittleEndian.PutUint64(second[j:], f>>8)
		bitA += int(e & 63)
		bitB += int(f & 63)
		i += int(e >> 56)
		j += int(f >> 56)
	}
	for ; i < m && bitA <= 8*len(p); i += a.step(first[i:], load(p, bitA), &bitA) {
	}
	for ; j < n && bitB <= 8*len(p); j += b.step(second[j:], loadBackward(p, bitB), &bitB) {
	}
	if i < m || j < n {
		return false
	}
	bitA -= a.bits(first[m:i])
	bitB -= b.bits(second[n:j])
	return (bitA+7)/8+(bitB+7)/8 == len(p)
}

// step decodes the symbols of one entry into dst and gives their number.
func (t *lookup) step(dst []byte, w uint64, bit *int) int {
	e := t.entries[w&lookupMask]
	binary.LittleEndian.PutUint64(dst, e>>8)
	*bit += int(e & 63)
	return int(e >> 56)
}

// bits gives how many bits symbols take.
func (t *lookup) bits(syms []byte) (n int) {
	for _, s := range syms {
		n += int(t.lengths[s])
	}
	return n
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
