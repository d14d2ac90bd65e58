package hll

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/internal/wire"
)

func sketchOf(r *rand.Rand, n int) *Sketch {
	s := new(Sketch)
	for range n {
		s.Add(r.Uint64())
	}
	return s
}

func TestCountIsExactWhileFew(t *testing.T) {
	r := seeded.Rand(t)
	for _, n := range []int{0, 1, 7, maxFew} {
		if got := sketchOf(r, n).Count(); got != uint64(n) {
			t.Errorf("of %d hashes Count gives %d", n, got)
		}
	}
}

func TestEstimateIsNear(t *testing.T) {
	r := seeded.Rand(t)
	for _, n := range []int{maxFew + 1, 5_000, 40_000, 100_000, 1_000_000} {
		// Five standard errors: one run in two million is beyond.
		if got, most := float64(sketchOf(r, n).Count()), 5*1.04/math.Sqrt(registers)*float64(n); math.Abs(got-float64(n)) > most {
			t.Errorf("of %d hashes Count gives %.0f, want within %.0f", n, got, most)
		}
	}
}

func TestWhatIsInSeveralPartsCountsOnce(t *testing.T) {
	r := seeded.Rand(t)
	for _, n := range []int{10, 1000, 4000, 50_000} {
		whole, merged := new(Sketch), new(Sketch)
		parts := make([]Sketch, 3)
		for range n {
			hash := r.Uint64()
			whole.Add(hash)
			parts[r.IntN(3)].Add(hash)
			parts[r.IntN(3)].Add(hash)
		}
		for i := range parts {
			merged.Merge(&parts[i])
		}
		if !equal(merged, whole) {
			t.Errorf("of %d hashes merged parts give %d, the whole %d", n, merged.Count(), whole.Count())
		}
	}
}

// equal reports whether sketches have the same content.
func equal(a, b *Sketch) bool { return slices.Equal(a.Append(nil), b.Append(nil)) }

func TestSketchesComeBack(t *testing.T) {
	r := seeded.Rand(t)
	for _, n := range []int{0, 1, maxFew, maxFew + 1, 100_000} {
		s := sketchOf(r, n)
		b := s.Append(nil)
		if len(b) > 12<<10+16 {
			t.Errorf("a sketch of %d takes %d bytes", n, len(b))
		}
		in := wire.NewReader(b, 1<<20)
		got := Decode(in)
		if err := in.Done(); err != nil || !equal(got, s) {
			t.Errorf("a sketch of %d does not come back: %v", n, err)
		}
		in = wire.NewReader(b[:r.IntN(len(b))], 1<<20)
		if Decode(in); in.Done() == nil {
			t.Errorf("a sketch of %d that is cut short is taken", n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	r := seeded.Rand(f)
	for _, n := range []int{0, 5, 3000} {
		f.Add(sketchOf(r, n).Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := wire.NewReader(b, 1<<20)
		s := Decode(in)
		s.Count()
		if in.Done() != nil {
			return
		}
		again := wire.NewReader(s.Append(nil), 1<<20)
		if got := Decode(again); again.Done() != nil || !equal(got, s) {
			t.Errorf("what was decoded does not come back: %v", again.Err())
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	s, r := new(Sketch), rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		s.Add(r.Uint64())
	}
}
