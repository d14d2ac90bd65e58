package block

import (
	"math"
	"math/bits"
	"slices"
)

// plan is a table in the making: a transform that was chosen from a sample, and
// how often the blocks that go by it have each symbol.
type plan struct {
	transform
	by     quotient
	level  bool // of order 0: the anchor is about the mean of the block, else 0
	common byte // the symbol of residuals that have none
	values alphabet
	gaps   alphabet // when sparse
	cost   float64  // bits of a value, in the sample
}

// size gives about the bytes of so many values, as the sample has them.
func (p *plan) size(values int) int { return int(p.cost * float64(values) / 8) }

// usual reports whether a block takes about the bytes that the sample let
// expect.
func (p *plan) usual(size, values int) bool {
	expected := p.size(values) + headSize
	return size < expected+expected/4+8 && size > expected-expected/4-8
}

// alphabet is the symbols of a plan.
type alphabet struct {
	counts  [symbols]uint32 // in the blocks
	lengths [symbols]uint8  // about the bits of each, by the sample
}

const (
	// sampleValues is how many residuals a plan is chosen by.
	sampleValues = 1024
	// patchCost is about the bits that a residual without a symbol takes.
	patchCost = 28
	// headSize is about the bytes that a block takes beside what its values do.
	headSize = 4
)

// choosePlan finds how the numbers of blocks become the fewest bits; ok is false
// when no symbols help: when they are all constant, say.
func choosePlan(typ floatness, blocks [][]uint64) (best *plan, ok bool) {
	for _, kind := range kindsOf(typ, blocks) {
		numbers := make([][]uint64, len(blocks))
		for i, values := range blocks {
			numbers[i], _ = numbersOf(kind, nil, values, nil)
		}
		if p := planInts(kind, numbers); p != nil && (best == nil || p.cost < best.cost) {
			best = p
		}
	}
	return best, best != nil
}

// floatness says whether numbers are floats.
type floatness bool

// kindsOf gives the kinds worth a trial.
func kindsOf(typ floatness, blocks [][]uint64) []uint8 {
	if !typ {
		return []uint8{kindInts}
	}
	var all []uint64
	for _, values := range blocks {
		all = append(all, values...)
	}
	if exp, ok := exponent(all); ok {
		return []uint8{kindDecimal + uint8(exp)}
	}
	return []uint8{kindReal, kindInts}
}

// numbersOf gives the integers that a kind makes of values, in dst's memory, and adds to at
// where those are that it cannot keep.
func numbersOf(kind uint8, dst, values []uint64, at []uint32) ([]uint64, []uint32) {
	switch {
	case kind == kindInts:
		return values, at
	case kind == kindReal:
		dst = resize(dst, len(values))
		for i, v := range values {
			dst[i] = realOrder(v)
		}
		return dst, at
	}
	dst = resize(dst, len(values))
	scale := powersOfTen[kind-kindDecimal]
	last := int64(0)
	for i, v := range values {
		d, ok := decimal(math.Float64frombits(v), scale)
		if !ok {
			at = append(at, uint32(i))
			d = last // costs least: a difference of zero
		}
		last = d
		dst[i] = uint64(d)
	}
	return dst, at
}

// planInts chooses the order of differences, the common factor and the symbols.
func planInts(kind uint8, blocks [][]uint64) *plan {
	p := &plan{}
	p.kind, p.factor = kind, 1
	if kind != kindReal {
		p.factor = commonFactor(blocks)
	}
	p.by = quotientBy(p.factor)
	p.order, p.level = 1, false
	if kind == kindReal {
		p.order = 0
	} else {
		least := math.Inf(1)
		some := someOf(blocks)
		for _, order := range [...]uint8{1, 0, 2} {
			q := plan{transform: transform{order: order}, level: order == 0, by: p.by}
			// What saves less than a sixteenth of a bit is noise.
			if score := q.spread(some); score < least-1./16 {
				least, p.order, p.level = score, order, order == 0
			}
		}
	}
	var residuals []uint64
	var anchors []int64
	zeros := 0
	longest := 0
	var r []uint64
	for _, values := range blocks {
		var anchor uint64
		r, anchor = p.differences(r, values)
		for _, v := range r {
			v, _ = p.by.of(v)
			residuals = append(residuals, v)
			if v == 0 {
				zeros++
			}
		}
		anchors = append(anchors, int64(anchor))
		longest = max(longest, len(r))
	}
	if len(residuals) == 0 {
		return nil
	}
	slices.Sort(anchors)
	p.anchor = uint64(anchors[len(anchors)/2])
	n := len(residuals)
	if p.sparing(zeros, n) && longest < symbols<<8 {
		if q := p.sparsely(residuals, longest); q != nil {
			p.dense(residuals)
			if q.cost < 0.97*p.cost {
				return q
			}
			return p
		}
	}
	p.dense(residuals)
	return p
}

// someOf gives so many of the blocks that they have sampleValues, or all.
func someOf(blocks [][]uint64) (some [][]uint64) {
	n := 0
	for _, values := range blocks {
		n += len(values)
	}
	step := max(n/sampleValues, 1)
	for i := 0; i < len(blocks); i += step {
		some = append(some, blocks[i])
	}
	return some
}

// spread gives about the bits that a residual takes: of its distance from one in
// the middle, or hardly any where most are zero and so need not be kept.
func (p *plan) spread(blocks [][]uint64) float64 {
	var residuals []int64
	var r []uint64
	for _, values := range blocks {
		r, _ = p.differences(r, values)
		for _, v := range r {
			v, _ = p.by.of(v)
			residuals = append(residuals, int64(v))
		}
	}
	if len(residuals) == 0 {
		return math.Inf(1)
	}
	var some [64]int64
	for i := range some {
		some[i] = residuals[i*len(residuals)/len(some)]
	}
	slices.Sort(some[:])
	middle := some[len(some)/2]
	length, zeros := 0, 0
	for _, v := range residuals {
		if v == 0 {
			zeros++
		} else {
			length += max(bits.Len64(zigzag(v-middle)), 1)
		}
	}
	if !p.sparing(zeros, len(residuals)) {
		length += zeros * max(bits.Len64(zigzag(-middle)), 1)
	}
	return float64(length) / float64(len(residuals))
}

// sparing reports whether so many zeros among residuals are better left out.
func (p *plan) sparing(zeros, n int) bool { return p.order == 1 && zeros*3 > n*2 }

// commonFactor gives the greatest common divisor of all differences.
func commonFactor(blocks [][]uint64) uint64 {
	f := uint64(0)
	for _, values := range blocks {
		prev := values[0]
		for _, v := range values[1:] {
			if f == 1 {
				return 1
			}
			f = gcd(magnitude(int64(v-prev)), f)
			prev = v
		}
	}
	return max(f, 1)
}

// differences gives the residuals of values, in dst's memory, and the anchor.
func (p *plan) differences(dst, values []uint64) (_ []uint64, anchor uint64) {
	dst = resize(dst, p.residuals(len(values)))
	anchor = values[0]
	switch p.order {
	case 0:
		anchor = 0
		if p.level {
			anchor = p.mean(values)
		}
		for i, v := range values {
			dst[i] = v - anchor
		}
	case 1:
		prev := anchor
		for i, v := range values[1:] {
			dst[i] = v - prev
			prev = v
		}
	case 2:
		if len(values) < 3 {
			break
		}
		prev, step := values[1], values[1]-values[0]
		for i, v := range values[2:] {
			s := v - prev
			dst[i] = s - step
			prev, step = v, s
		}
	}
	return dst, anchor
}

// mean gives a number near the mean that differs from values by multiples of
// the factor.
func (p *plan) mean(values []uint64) uint64 {
	first, sum := values[0], 0.0
	for _, v := range values {
		sum += float64(int64(v - first))
	}
	q := sum / float64(len(values)) / float64(p.by.factor)
	if !(math.Abs(q) < 1<<62) {
		return first
	}
	return first + uint64(int64(q))*p.by.factor
}

// dense gives every residual a symbol.
func (p *plan) dense(residuals []uint64) {
	n := len(residuals)
	residuals = thinned(residuals)
	p.cost = float64(n) * p.cover(&p.values, residuals) / float64(n)
}

// sparsely gives a plan of runs of zeros; nil when there is nothing else.
func (p *plan) sparsely(residuals []uint64, longest int) *plan {
	q := &plan{transform: p.transform, by: p.by}
	q.sparse = true
	q.gapLow = uint8(max(bits.Len(uint(longest))-8, 0))
	var changes []uint64
	var counts [symbols]uint32
	gap := 0
	for _, v := range residuals {
		// Runs go on from block to block here: near enough.
		if v == 0 && gap < longest {
			gap++
			continue
		}
		changes = append(changes, v)
		counts[gap>>q.gapLow]++
		gap = 0
	}
	if len(changes) == 0 {
		return nil
	}
	bitsOfGaps := float64(q.gapLow)*float64(len(changes)) + q.gaps.learn(&counts)
	q.cost = (bitsOfGaps + float64(len(changes))*q.cover(&q.values, thinned(changes))) / float64(len(residuals))
	return q
}

// thinned gives at most sampleValues of the residuals.
func thinned(residuals []uint64) []uint64 {
	if len(residuals) <= sampleValues {
		return residuals
	}
	step := (len(residuals) + sampleValues - 1) / sampleValues
	thin := make([]uint64, 0, sampleValues)
	for i := 0; i < len(residuals); i += step {
		thin = append(thin, residuals[i])
	}
	return thin
}

// cover chooses base and low bits so that symbols cover residuals, all or all
// but the extremes, in the fewest bits, and gives these for one residual.
func (p *plan) cover(a *alphabet, residuals []uint64) float64 {
	sorted := slices.Clone(residuals)
	slices.SortFunc(sorted, func(a, b uint64) int {
		switch {
		case int64(a) < int64(b):
			return -1
		case int64(a) > int64(b):
			return 1
		}
		return 0
	})
	n := len(sorted)
	best := math.Inf(1)
	var learned [symbols]uint32
	for _, trim := range [...]int{0, n / 256, n / 32} {
		if trim == 0 && !math.IsInf(best, 1) {
			continue
		}
		lowest, highest := sorted[trim], sorted[n-1-trim]
		span := highest - lowest
		least := max(bits.Len64(span)-8, 0)
		if span>>least >= symbols { // cannot be
			least++
		}
		for low := least; low <= min(least+5, 63); low++ {
			used := int(span>>low) + 1
			// What the sample does not show may lie on both sides.
			base := lowest - uint64((symbols-used)/2)<<low
			var counts [symbols]uint32
			patches, nonzero := 0, 0
			for _, v := range sorted {
				u := (v - base) >> low
				if u >= symbols {
					patches++
					continue
				}
				if counts[u]++; counts[u] == 1 {
					nonzero++
				}
			}
			// The entropy of a sample is too low, by half of 1/ln 2 bits a
			// symbol; the table takes a little too.
			size := entropy(&counts) + float64(n*low) + float64(patches*patchCost) + 1.5*float64(nonzero-1)
			if size < best {
				best = size
				p.low, p.base = uint8(low), base
				learned = counts
			}
			if used < 4 {
				break
			}
		}
	}
	a.learn(&learned)
	common := 0
	for s, c := range learned {
		if c > learned[common] {
			common = s
		}
	}
	p.common = byte(common)
	return best / float64(n)
}

// entropy gives about the bits that a code for the counts takes: none takes
// less than one bit a symbol.
func entropy(counts *[symbols]uint32) float64 {
	total := uint32(0)
	for _, c := range counts {
		total += c
	}
	size := 0.0
	for _, c := range counts {
		if c > 0 {
			size += float64(c) * max(math.Log2(float64(total)/float64(c)), 1)
		}
	}
	return size
}

// learn sets the lengths by what a sample shows, and gives the bits it takes.
func (a *alphabet) learn(counts *[symbols]uint32) float64 {
	total := uint32(0)
	for _, c := range counts {
		total += c
	}
	for s, c := range counts {
		a.lengths[s] = maxCodeBits
		if c > 0 {
			length := math.Round(math.Log2(float64(total) / float64(c)))
			a.lengths[s] = uint8(min(max(length, 1), maxCodeBits))
		}
	}
	return entropy(counts)
}

// count adds the symbols of a block.
func (a *alphabet) count(syms []byte) {
	// Equal symbols next to one another would wait for each other's sum.
	var other [symbols]uint32
	if len(syms) < 2*symbols/4 {
		for _, s := range syms {
			a.counts[s]++
		}
		return
	}
	for ; len(syms) >= 2; syms = syms[2:] {
		a.counts[syms[0]]++
		other[syms[1]]++
	}
	for _, s := range syms {
		a.counts[s]++
	}
	for s, n := range other {
		a.counts[s] += n
	}
}
