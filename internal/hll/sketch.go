package hll

import (
	"maps"
	"math"
	"math/bits"
	"slices"

	"github.com/varvedb/varve/internal/wire"
)

const (
	precision = 14
	registers = 1 << precision
	// highest is the greatest value of a register: one more than the bits of a
	// hash that do not choose the register.
	highest = 64 - precision + 1

	// maxFew hashes take as much as the registers do when they are sent.
	maxFew = 1536

	format = 1 // the first byte of a sketch
)

// Sketch is what was seen. The zero Sketch has seen nothing. It is used by one
// goroutine at a time.
type Sketch struct {
	few map[uint64]struct{} // nil once there are registers
	max []uint8             // per register the greatest rank; nil while there are few
}

// Add notes a thing by its hash, which must be as good as random.
func (s *Sketch) Add(hash uint64) {
	if s.max != nil {
		s.note(hash)
		return
	}
	if s.few == nil {
		s.few = make(map[uint64]struct{})
	}
	if s.few[hash] = struct{}{}; len(s.few) > maxFew {
		s.spread()
	}
}

// spread moves what is few into registers.
func (s *Sketch) spread() {
	s.max = make([]uint8, registers)
	for hash := range s.few {
		s.note(hash)
	}
	s.few = nil
}

// note raises the register that the upper bits of a hash choose to the place of
// the first 1 among the others.
func (s *Sketch) note(hash uint64) {
	rank := uint8(bits.LeadingZeros64(hash<<precision|1<<(precision-1)) + 1)
	if at := &s.max[hash>>(64-precision)]; *at < rank {
		*at = rank
	}
}

// Merge adds what o has seen.
func (s *Sketch) Merge(o *Sketch) {
	if o.max == nil {
		for hash := range o.few {
			s.Add(hash)
		}
		return
	}
	if s.max == nil {
		s.spread()
	}
	for i, rank := range o.max {
		s.max[i] = max(s.max[i], rank)
	}
}

// Count gives how many different hashes were added, exactly while they are few.
func (s *Sketch) Count() uint64 {
	if s.max == nil {
		return uint64(len(s.few))
	}
	var having [highest + 1]float64 // how many registers have a value
	for _, rank := range s.max {
		having[rank]++
	}
	const m = registers
	z := m * tau(1-having[highest]/m)
	for rank := highest - 1; rank >= 1; rank-- {
		z = (z + having[rank]) / 2
	}
	z += m * sigma(having[0]/m)
	return uint64(math.Round(m * m / (2 * math.Ln2) / z))
}

// sigma and tau correct for registers that are empty and full.

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += x * y
		y += y
		if z == before {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y /= 2
		z -= (1 - x) * (1 - x) * y
		if z == before {
			return z / 3
		}
	}
}

// Append adds s in binary form: the format, and either a number of hashes and
// these, ascending, or that number's place is 0 and the registers follow, in six
// bits each.
func (s *Sketch) Append(dst []byte) []byte {
	dst = append(dst, format)
	if s.max == nil {
		dst = wire.AppendUvarint(dst, uint64(len(s.few))+1)
		for _, hash := range slices.Sorted(maps.Keys(s.few)) {
			dst = wire.AppendUint64(dst, hash)
		}
		return dst
	}
	dst = wire.AppendUvarint(dst, 0)
	for i := 0; i < registers; i += 4 {
		v := uint32(s.max[i]) | uint32(s.max[i+1])<<6 | uint32(s.max[i+2])<<12 | uint32(s.max[i+3])<<18
		dst = append(dst, byte(v), byte(v>>8), byte(v>>16))
	}
	return dst
}

// Decode reads what Append wrote; r tells of errors.
func Decode(r *wire.Reader) *Sketch {
	r.Format(format)
	s := new(Sketch)
	if n := r.Number(maxFew + 1); n > 0 {
		if !r.Spend(n, 16) {
			return s
		}
		for range n - 1 {
			s.Add(r.Uint64())
		}
		return s
	}
	packed := r.Bytes(registers / 4 * 3)
	if packed == nil || !r.Spend(registers, 1) {
		return s
	}
	s.max = make([]uint8, registers)
	for i := range s.max {
		at := i / 4 * 3
		v := uint32(packed[at]) | uint32(packed[at+1])<<8 | uint32(packed[at+2])<<16
		if s.max[i] = uint8(v >> (i % 4 * 6) & 63); s.max[i] > highest {
			r.Fail("rank %d", s.max[i])
			return new(Sketch)
		}
	}
	return s
}
