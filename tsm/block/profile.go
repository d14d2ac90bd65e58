package block

import "math/bits"

// profile is what the codecs want to know of some integers before one of them
// is chosen: exact figures, from two passes.
type profile struct {
	values []uint64

	min, max           uint64 // in signed order
	minDelta, maxDelta int64  // of the differences, which wrap

	frame  series // of value - min
	delta  series // of difference - minDelta
	zigzag series // of the zigzag of the difference
}

// series describes non-negative numbers that may go through bit-packing.
type series struct {
	factor uint64 // divides each; 1 or more
	width  int    // bits to pack each with, after division by factor
	whole  bool   // none is longer than that
	size   int    // about the bytes that packing takes
}

// histogram counts numbers by their length in bits.
type histogram [65]uint32

// exceptionCost is about what an exception takes beyond its packed slot: a
// position of 1 to 2 bytes and its high bits.
const exceptionCost = 4

// narrow is the width at which neither a common factor nor exceptions are worth
// the time to look for them, where time matters more than bytes.
const narrow = 12

// measure profiles values, of which there is at least one. When fast is set and
// they are narrow, the figures are those of packing them as they are.
func (p *profile) measure(values []uint64, fast bool) {
	*p = profile{values: values}
	first := int64(values[0])
	low, high := first, first
	if len(values) == 1 {
		p.min, p.max = values[0], values[0]
		return
	}
	prev := first
	lowDelta := int64(values[1]) - first
	highDelta := lowDelta
	for _, w := range values[1:] {
		v := int64(w)
		d := v - prev
		prev = v
		low, high = min(low, v), max(high, v)
		lowDelta, highDelta = min(lowDelta, d), max(highDelta, d)
	}
	p.min, p.max = uint64(low), uint64(high)
	p.minDelta, p.maxDelta = lowDelta, highDelta
	if p.constant() || p.step() {
		return
	}
	if !fast || !p.narrow() {
		p.packing()
	}
}

// narrow describes packing by the extremes alone, if that is narrow.
func (p *profile) narrow() bool {
	n := len(p.values)
	frame, delta := bits.Len64(p.max-p.min), bits.Len64(uint64(p.maxDelta-p.minDelta))
	if min(frame, delta) > narrow {
		return false
	}
	p.frame = series{factor: 1, width: frame, whole: true, size: packedLen(n, frame)}
	p.delta = series{factor: 1, width: delta, whole: true, size: packedLen(n-1, delta)}
	p.zigzag = series{factor: 1, width: 64, whole: true, size: packedLen(n, 64)} // never less than delta
	return true
}

func (p *profile) constant() bool { return p.min == p.max }
func (p *profile) step() bool     { return p.minDelta == p.maxDelta }

// packing finds how the values pack in each of the three ways.
func (p *profile) packing() {
	var frame, delta, zig histogram
	frameFactor, deltaFactor, zigFactor := uint64(0), uint64(0), uint64(0)
	low, lowDelta := p.min, p.minDelta
	prev := p.values[0]
	frameFactor = prev - low
	frame[bits.Len64(frameFactor)]++
	for _, v := range p.values[1:] {
		d := int64(v - prev)
		prev = v
		f, u, z := v-low, uint64(d-lowDelta), zigzag(d)
		frame[bits.Len64(f)]++
		delta[bits.Len64(u)]++
		zig[bits.Len64(z)]++
		if frameFactor != 1 {
			frameFactor = gcd(frameFactor, f)
		}
		if deltaFactor != 1 {
			deltaFactor = gcd(deltaFactor, u)
		}
		if zigFactor != 1 {
			zigFactor = gcd(zigFactor, magnitude(d))
		}
	}
	p.frame = frame.choose(len(p.values), frameFactor, p.max-p.min)
	p.delta = delta.choose(len(p.values)-1, deltaFactor, uint64(p.maxDelta-p.minDelta))
	p.zigzag = zig.choose(len(p.values)-1, zigFactor, max(zigzag(p.minDelta), zigzag(p.maxDelta)))
}

// choose finds the width that packs n numbers, the largest of which is given,
// into the fewest bytes. Division by the factor makes each about log2(factor)
// bits shorter.
func (h *histogram) choose(n int, factor, largest uint64) series {
	factor = max(factor, 1)
	less := bits.Len64(factor) - 1
	top := bits.Len64(largest)
	whole := bits.Len64(largest / factor)
	best := series{factor: factor, width: whole, whole: true, size: packedLen(n, whole)}
	above := uint32(0)
	for w := top - 1; w >= 0; w-- {
		above += h[w+1]
		size := packedLen(n, max(w-less, 0)) + int(above)*exceptionCost
		if size < best.size {
			best.width, best.whole, best.size = max(w-less, 0), false, size
		}
		if int(above) > n/4 {
			break
		}
	}
	return best
}

func magnitude(d int64) uint64 {
	if d < 0 {
		return -uint64(d)
	}
	return uint64(d)
}

// gcd gives the greatest common divisor; that of 0 and v is v. The common case,
// a divides b, is one division.
func gcd(a, b uint64) uint64 {
	for a != 0 {
		a, b = b%a, a
	}
	return b
}
