package block

import "encoding/binary"

// patch is a residual that its symbol does not give.
type patch struct {
	at   int
	rest uint64
}

// symbolise adds the head and the symbols of a block by a plan, and gives about
// its size. ok is false when the plan does not suit.
func (g *Group) symbolise(p *plan, values []uint64) (it item, size int, ok bool) {
	it.headStart, it.symsStart = len(g.head), len(g.syms)
	g.enc.at = g.enc.at[:0]
	var numbers []uint64
	numbers, g.enc.at = numbersOf(p.kind, g.numbers, values, g.enc.at)
	if p.kind != kindInts {
		g.numbers = numbers
	}
	if len(g.enc.at)*6 > len(values) {
		return it, 0, false
	}
	// Most numbers are near the ones before them: those take one pass.
	near := p.order == 1 && p.factor == 1 && p.low == 0 && !p.sparse
	anchor := numbers[0]
	if !near {
		g.residuals, anchor = p.differences(g.residuals, numbers)
	}

	form := g.presence[0]
	g.head = append(g.head, g.presence...)
	if len(g.enc.at) > 0 {
		form |= codedExceptions
		g.head = appendExceptions(g.head, g.enc.at, values)
	}
	g.patched = g.patched[:0]
	var length, changes int
	switch {
	case p.sparse:
		changes, length, ok = g.changes(p, g.residuals)
	case near:
		length, ok = g.near(p, numbers)
	default:
		length, ok = g.dense(p, g.residuals)
	}
	if !ok {
		return it, 0, false
	}
	if len(g.patched) > 0 {
		form |= codedPatches
		g.head = appendPatches(g.head, g.patched)
	}
	g.head = binary.AppendVarint(g.head, int64(anchor-p.anchor))
	switch {
	case p.sparse:
		form |= byte(min(changes, manyChanges)) << codedChanges
		if changes >= manyChanges {
			g.head = binary.AppendUvarint(g.head, uint64(changes-manyChanges))
		}
		it.forward = changes
		g.head = appendPacked(g.head, g.low[:changes], int(p.gapLow))
		g.head = appendPacked(g.head, g.low[changes:], int(p.low))
	default:
		if p.order == 2 && len(numbers) > 1 {
			g.head = binary.AppendVarint(g.head, int64(numbers[1]-numbers[0]))
		}
		it.forward = p.residuals(len(numbers)) / 2
		g.head = appendPacked(g.head, g.low, int(p.low))
	}
	g.head[it.headStart] = form
	it.headEnd, it.symsEnd = len(g.head), len(g.syms)
	return it, it.headEnd - it.headStart + (length+7)/8, true
}

// dense adds a symbol of each residual, and gives about the bits they take.
func (g *Group) dense(p *plan, residuals []uint64) (length int, ok bool) {
	start := len(g.syms)
	g.syms = append(g.syms, make([]byte, len(residuals))...)
	syms := g.syms[start:]
	g.low = resize(g.low, len(residuals))
	low, base, mask := p.low&63, p.base, uint64(1)<<p.low-1
	most := len(residuals)/16 + 1
	for i, r := range residuals {
		q, whole := r, true
		if p.factor != 1 {
			q, whole = p.by.of(r)
		}
		u := q - base
		s := u >> low
		if s >= symbols || !whole {
			if len(g.patched) == most {
				return 0, false
			}
			g.patched = append(g.patched, patch{i, r - p.factor*(base+uint64(p.common)<<low)})
			u, s = 0, uint64(p.common)
		}
		syms[i] = byte(s)
		g.low[i] = u & mask
		length += int(p.values.lengths[byte(s)])
	}
	return length, true
}

// near is dense of the differences of numbers, when these are symbols but for
// the base.
func (g *Group) near(p *plan, numbers []uint64) (length int, ok bool) {
	n := len(numbers) - 1
	start := len(g.syms)
	g.syms = append(g.syms, make([]byte, n)...)
	syms := g.syms[start:]
	g.low = g.low[:0]
	most := n/16 + 1
	base, prev := p.base, numbers[0]
	for i, v := range numbers[1:] {
		s := v - prev - base
		prev = v
		if s >= symbols {
			if len(g.patched) == most {
				return 0, false
			}
			g.patched = append(g.patched, patch{i, s - uint64(p.common)})
			s = uint64(p.common)
		}
		syms[i] = byte(s)
		length += int(p.values.lengths[byte(s)])
	}
	return length, true
}

// changes adds the symbols of runs of zeros and then those of the residuals
// between them.
func (g *Group) changes(p *plan, residuals []uint64) (n, length int, ok bool) {
	g.enc.packed = g.enc.packed[:0]
	g.low = g.low[:0]
	gap := 0
	for _, r := range residuals {
		if r == 0 {
			gap++
			continue
		}
		s := gap >> p.gapLow
		if s >= symbols {
			return 0, 0, false
		}
		g.syms = append(g.syms, byte(s))
		g.low = append(g.low, uint64(gap)&(1<<p.gapLow-1))
		g.enc.packed = append(g.enc.packed, r)
		length += int(p.gaps.lengths[s])
		gap = 0
	}
	n = len(g.enc.packed)
	gaps := append(g.enc.ints[:0], g.low...)
	g.enc.ints = gaps
	more, ok := g.dense(p, g.enc.packed)
	if !ok {
		return 0, 0, false
	}
	g.low = append(gaps, g.low...)
	g.enc.ints = nil
	return n, length + more, true
}

func appendExceptions(dst []byte, at []uint32, values []uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(at)))
	prev := uint32(0)
	for _, i := range at {
		dst = binary.AppendUvarint(dst, uint64(i-prev))
		dst = binary.LittleEndian.AppendUint64(dst, values[i])
		prev = i
	}
	return dst
}

func appendPatches(dst []byte, patches []patch) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(patches)))
	prev := 0
	for _, p := range patches {
		dst = binary.AppendUvarint(dst, uint64(p.at-prev))
		dst = binary.AppendVarint(dst, int64(p.rest))
		prev = p.at
	}
	return dst
}
