package block

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/varvedb/varve/model"
)

// maxCodeBits is the longest code of a symbol. A lookup by so many bits decodes
// several short codes at once and stays in the first-level cache.
const maxCodeBits = 11

// symbols is the most symbols that a code may have: they are bytes.
const symbols = 256

// code is a canonical prefix code: the lengths of the codes of symbols, 0 for
// those that have none. It is complete: every run of bits begins with a code.
type code struct {
	lengths [symbols]uint8
}

// codeOf gives the code of the fewest bits for symbols of which so many are to
// be kept, by package-merge (Larmore and Hirschberg, 1990): the limit on the
// length costs hardly anything, and no less clever repair is as short.
func codeOf(counts *[symbols]uint32) (c code) {
	var order []uint8
	for s, n := range counts {
		if n > 0 {
			order = append(order, uint8(s))
		}
	}
	if len(order) < 2 {
		// A code of one symbol would not be complete.
		only := uint8(0)
		if len(order) == 1 {
			only = order[0]
		}
		c.lengths[only], c.lengths[only^1] = 1, 1
		return c
	}
	slices.SortStableFunc(order, func(a, b uint8) int { return cmp.Compare(counts[a], counts[b]) })

	// A list for each bit of length: the symbols, merged with the pairs of the
	// list before, ascending. Whether an item is a symbol is all that is needed
	// of it afterwards.
	n := len(order)
	var isSymbol [maxCodeBits][2 * symbols]bool
	var list, next [2 * symbols]uint64
	length := 0
	for bit := range isSymbol {
		pairs, at, used := length/2, 0, 0
		k := 0
		for at < n || used < pairs {
			pair := uint64(0)
			if used < pairs {
				pair = list[2*used] + list[2*used+1]
			}
			if at < n && (used == pairs || uint64(counts[order[at]]) <= pair) {
				next[k], isSymbol[bit][k] = uint64(counts[order[at]]), true
				at++
			} else {
				next[k] = pair
				used++
			}
			k++
		}
		list, length = next, k
	}
	take := 2*n - 2
	for bit := maxCodeBits - 1; take > 0; bit-- {
		found := 0
		for _, is := range isSymbol[bit][:take] {
			if is {
				c.lengths[order[found]]++
				found++
			}
		}
		take = 2 * (take - found)
	}
	return c
}

// codes gives the bits of each symbol's code, the first lowest, above its
// length in the low byte.
func (c *code) codes() (codes [symbols]uint32) {
	var next [maxCodeBits + 1]uint32 // how many codes there are of a length, then the next of them
	for _, length := range c.lengths {
		next[length]++
	}
	first := uint32(0)
	for length := 1; length <= maxCodeBits; length++ {
		first <<= 1
		next[length], first = first, first+next[length]
	}
	for s, length := range c.lengths {
		if length > 0 {
			codes[s] = bits.Reverse32(next[length])>>(32-length)<<8 | uint32(length)
			next[length]++
		}
	}
	return codes
}

// Lengths are written four bits each; a greater number stands for a run of the
// length before it, at first 0.
const (
	codeRun    = 12 // then four bits: 3 to 18 times
	codeLong   = 13 // then eight bits: 19 to 274 times
	shortRun   = 3
	longRun    = 19
	longestRun = longRun + 255
)

// first and last symbols that have a code
func (c *code) span() (first, last int) {
	for c.lengths[first] == 0 {
		first++
	}
	last = symbols - 1
	for c.lengths[last] == 0 {
		last--
	}
	return first, last
}

// append adds the lengths of the symbols from first to last.
func (c *code) append(dst []byte, first, last int) []byte {
	dst = append(dst, byte(last-first))
	var nibbles []byte
	before := uint8(0)
	for s := first; s <= last; {
		run := 0
		for s+run <= last && c.lengths[s+run] == before && run < longestRun {
			run++
		}
		switch {
		case run >= longRun:
			nibbles = append(nibbles, codeLong, byte(run-longRun)&15, byte(run-longRun)>>4)
		case run >= shortRun:
			nibbles = append(nibbles, codeRun, byte(run-shortRun))
		default:
			before = c.lengths[s]
			nibbles = append(nibbles, before)
			run = 1
		}
		s += run
	}
	if len(nibbles)%2 != 0 {
		nibbles = append(nibbles, 0)
	}
	for i := 0; i < len(nibbles); i += 2 {
		dst = append(dst, nibbles[i]|nibbles[i+1]<<4)
	}
	return dst
}

// code reads what code.append wrote; the first symbol becomes 0.
func (r *reader) code() (c code, err error) {
	n := int(r.byte()) + 1
	var pending []byte
	nibble := func() int {
		if len(pending) == 0 {
			b := r.byte()
			pending = []byte{b & 15, b >> 4}
		}
		v := pending[0]
		pending = pending[1:]
		return int(v)
	}
	before := uint8(0)
	for s := 0; s < n; {
		v, run := nibble(), 1
		switch {
		case v <= maxCodeBits:
			before = uint8(v)
		case v == codeRun:
			run = shortRun + nibble()
		case v == codeLong:
			run = longRun + nibble()
			run += nibble() << 4
		default:
			return c, model.ErrCorrupt
		}
		if r.bad || run > n-s {
			return c, model.ErrCorrupt
		}
		for range run {
			c.lengths[s] = before
			s++
		}
	}
	space := 0 // of 1<<maxCodeBits
	for _, l := range c.lengths {
		if l > 0 {
			space += 1 << (maxCodeBits - l)
		}
	}
	if r.bad || space != 1<<maxCodeBits {
		return c, model.ErrCorrupt
	}
	return c, nil
}
