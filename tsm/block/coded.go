package block

import (
	"encoding/binary"

	"github.com/varvedb/varve/model"
)

// The first byte of a block that has a table: the kind of its presence in the
// low bits, as in a block without one, and
const (
	codedPresence   = 3
	codedExceptions = 1 << 2 // some floats are kept as they are
	codedPatches    = 1 << 3 // some residuals are not what their symbols say
	codedChanges    = 4      // shift: of a sparse block, residuals that are not zero
	manyChanges     = 15     // there: a uvarint of how many more follows
)

// coded decodes a block of numbers that has a table.
func (d *Decoder) coded(c *model.Column, present *model.Bitmap, n int, p []byte, tables *Tables, t *table) error {
	r := reader{p: p}
	head := r.byte()
	values, gaps := tables.lookups(t)
	got, ok := r.bitmapOf(head&codedPresence, *present, n)
	if !ok || !t.sparse && head>>codedChanges != 0 {
		return model.ErrCorrupt
	}
	m := n
	if got != nil {
		*present, c.Present = got, got
		m = got.Count()
	}
	if m == 0 {
		return model.ErrCorrupt // such a block needs no table
	}
	c.Bits = resize(c.Bits, n)
	dst := c.Bits[:m]

	var exceptions, patches reader // read again below
	exceptionCount, patchCount := uint64(0), uint64(0)
	if head&codedExceptions != 0 {
		exceptionCount, exceptions = r.exceptions(m)
	}
	if head&codedPatches != 0 {
		patchCount = r.uvarint()
		if patchCount > uint64(m) {
			return model.ErrCorrupt
		}
		patches = r
		for range patchCount {
			r.uvarint()
			r.varint()
		}
	}
	if t.sparse {
		ok = d.sparse(dst, &r, t, values, gaps, int(head>>codedChanges), patches, patchCount)
	} else {
		ok = d.dense(dst, &r, t, values, patches, patchCount)
	}
	if !ok {
		return model.ErrCorrupt
	}
	switch {
	case t.kind == kindReal:
		for i, u := range dst {
			dst[i] = realValue(u)
		}
	case t.kind >= kindDecimal:
		decimals(dst, int(t.kind-kindDecimal))
	}
	if !exceptions.except(dst, exceptionCount) {
		return model.ErrCorrupt
	}
	if m < n {
		scatter(c.Bits, c.Present, m)
	}
	return nil
}

// suits reports whether blocks of a type may have t.
func (t *table) suits(typ model.FieldType) bool {
	switch typ {
	case model.Integer, model.Unsigned:
		return t.kind == kindInts
	case model.Float:
		return t.kind != kindDictionary
	case model.String:
		return t.kind == kindDictionary
	}
	return false
}

// dense decodes a block of which every residual has a symbol.
func (d *Decoder) dense(dst []uint64, r *reader, t *table, values *lookup, patches reader, patchCount uint64) bool {
	anchor := uint64(r.varint()) + t.anchor
	step := uint64(0)
	if t.order == 2 && len(dst) > 1 {
		step = uint64(r.varint())
	}
	n := t.residuals(len(dst))
	raw := r.take(uint64(packedLen(n, int(t.low))))
	if r.bad {
		return false
	}
	first, second := d.streams(n/2, n-n/2)
	if !decodeStreams(first, second, values, values, r.p) {
		return false
	}
	into := dst[len(dst)-n:]
	if t.order == 1 && t.low == 0 && patchCount == 0 {
		dst[0] = anchor
		half := sums(into[:n/2], first, anchor, t.factor, t.factor*t.base)
		sums(into[n/2:], second, half, t.factor, t.factor*t.base)
		return true
	}
	unpack(into, raw, int(t.low))
	join(into[:n/2], first, t)
	join(into[n/2:], second, t)
	if !patches.patch(into, patchCount) {
		return false
	}
	switch t.order {
	case 0:
		for i := range dst {
			dst[i] += anchor
		}
	case 1:
		dst[0] = anchor
		integrate(dst)
	case 2:
		dst[0] = anchor
		if len(dst) > 1 {
			dst[1] = step
			integrate(dst[1:])
			integrate(dst)
		}
	}
	return true
}

// streams gives room for two streams of so many symbols.
func (d *Decoder) streams(m, n int) (first, second []byte) {
	d.symbols = resize(d.symbols, m+n+2*streamRoom)
	return d.symbols[:m+streamRoom], d.symbols[m+streamRoom:]
}

// sums adds symbol·factor + base to get from each value to the next, starting
// with v, and gives the last.
func sums(dst []uint64, syms []byte, v, factor, base uint64) uint64 {
	syms = syms[:len(dst)]
	if factor != 1 {
		for i, s := range syms {
			v += uint64(s)*factor + base
			dst[i] = v
		}
		return v
	}
	for len(dst) >= 4 && len(syms) >= 4 {
		// Only one addition of the four waits for the values before.
		d1 := uint64(syms[0]) + base
		d2 := uint64(syms[1]) + base + d1
		d3 := uint64(syms[2]) + base + d2
		d4 := uint64(syms[3]) + base + d3
		dst[0] = v + d1
		dst[1] = v + d2
		dst[2] = v + d3
		v += d4
		dst[3] = v
		dst, syms = dst[4:], syms[4:]
	}
	for i, s := range syms {
		v += uint64(s) + base
		dst[i] = v
	}
	return v
}

// join makes residuals of low bits, which are in dst, and symbols.
func join(dst []uint64, syms []byte, t *table) {
	low, factor, base := t.low&63, t.factor, t.factor*t.base
	syms = syms[:len(dst)]
	if factor == 1 {
		for i, u := range dst {
			dst[i] = (uint64(syms[i])<<low | u) + base
		}
		return
	}
	for i, u := range dst {
		dst[i] = (uint64(syms[i])<<low|u)*factor + base
	}
}

// integrate makes of the first value and differences the values.
func integrate(dst []uint64) {
	v := uint64(0)
	for i, d := range dst {
		v += d
		dst[i] = v
	}
}

// sparse decodes a block of which most residuals are zero.
func (d *Decoder) sparse(dst []uint64, r *reader, t *table, values, gaps *lookup, changes int, patches reader, patchCount uint64) bool {
	v := uint64(r.varint()) + t.anchor
	if changes == manyChanges {
		more := r.uvarint()
		if more > uint64(len(dst)) {
			return false
		}
		changes += int(more)
	}
	if changes > t.residuals(len(dst)) {
		return false
	}
	gapLow := r.take(uint64(packedLen(changes, int(t.gapLow))))
	valueLow := r.take(uint64(packedLen(changes, int(t.low))))
	if r.bad {
		return false
	}
	first, second := d.streams(changes, changes)
	if !decodeStreams(first, second, gaps, values, r.p) {
		return false
	}
	d.gaps = resize(d.gaps, changes)
	unpack(d.gaps, gapLow, int(t.gapLow))
	d.residuals = resize(d.residuals, changes)
	unpack(d.residuals, valueLow, int(t.low))
	join(d.residuals, second, t)
	if !patches.patch(d.residuals, patchCount) {
		return false
	}
	at := 0
	for i, g := range d.gaps {
		g |= uint64(first[i]) << t.gapLow
		if g+1 >= uint64(len(dst)-at) {
			return false
		}
		end := at + int(g) + 1
		fill(dst[at:end], v)
		at = end
		v += d.residuals[i]
	}
	fill(dst[at:], v)
	return true
}

func fill(dst []uint64, v uint64) {
	for i := range dst {
		dst[i] = v
	}
}

// patch adds to n residuals what their symbols do not say.
func (r *reader) patch(residuals []uint64, n uint64) bool {
	at := uint64(0)
	for range n {
		at += r.uvarint()
		if r.bad || at >= uint64(len(residuals)) {
			return false
		}
		residuals[at] += uint64(r.varint())
	}
	return !r.bad
}

// exceptions skips what appendExceptions wrote of floats among n, and gives how
// many there are and where they are.
func (r *reader) exceptions(n int) (count uint64, at reader) {
	count = r.uvarint()
	if count > uint64(n) {
		r.fail()
		return 0, *r
	}
	at = *r
	for range count {
		r.uvarint()
		r.take(8)
	}
	return count, at
}

// except puts n exceptions into dst.
func (r *reader) except(dst []uint64, n uint64) bool {
	at := uint64(0)
	for range n {
		at += r.uvarint()
		if r.bad || at >= uint64(len(dst)) {
			return false
		}
		dst[at] = binary.LittleEndian.Uint64(r.take(8))
	}
	return true
}
