package block

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
)

// skewed gives n symbols of a bell around 128.
func skewed(r *rand.Rand, n int, width float64) []byte {
	syms := make([]byte, n)
	for i := range syms {
		syms[i] = byte(min(max(math.Round(128+width*r.NormFloat64()), 0), 255))
	}
	return syms
}

func countsOf(syms []byte) *[symbols]uint32 {
	var counts [symbols]uint32
	for _, s := range syms {
		counts[s]++
	}
	return &counts
}

func TestStreamsComeBack(t *testing.T) {
	r := seeded.Rand(t)
	for range 2000 {
		syms := skewed(r, r.IntN(700), []float64{0, 0.3, 1, 5, 30, 100}[r.IntN(6)])
		h := len(syms) / 2
		if r.IntN(4) == 0 {
			h = r.IntN(len(syms) + 1)
		}
		c := codeOf(countsOf(syms))
		codes := c.codes()
		p := appendStreams([]byte("head"), syms, h, &codes, &codes)[4:]
		table := new(lookup)
		table.build(&c)
		forward := make([]byte, h+streamRoom)
		backward := make([]byte, len(syms)-h+streamRoom)
		if !decodeStreams(forward, backward, table, table, p) {
			t.Fatalf("%d symbols, %d of them forward, do not decode", len(syms), h)
		}
		got := append(forward[:h], backward[:len(syms)-h]...)
		if !bytes.Equal(got, syms) {
			t.Fatalf("%d symbols, %d of them forward, come back changed", len(syms), h)
		}
		first, last := c.span()
		rd := reader{p: c.append(nil, first, last)}
		read, err := rd.code()
		if err != nil || !rd.done() {
			t.Fatalf("code does not read back: %v", err)
		}
		if !bytes.Equal(read.lengths[:last-first+1], c.lengths[first:last+1]) {
			t.Fatalf("lengths % d read back as % d", c.lengths[first:last+1], read.lengths[:last-first+1])
		}
	}
}

func BenchmarkStreams(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	syms := skewed(r, 360, 1.05)
	c := codeOf(countsOf(syms))
	codes := c.codes()
	var p []byte
	b.Run("encode", func(b *testing.B) {
		perValue(b, 360, func() { p = appendStreams(p[:0], syms, 180, &codes, &codes) })
		b.ReportMetric(float64(len(p))/360, "B/value")
	})
	table := new(lookup)
	table.build(&c)
	b.Run("decode", func(b *testing.B) {
		first, second := make([]byte, 180+streamRoom), make([]byte, 180+streamRoom)
		perValue(b, 360, func() { decodeStreams(first, second, table, table, p) })
	})
	b.Run("table", func(b *testing.B) {
		table := new(lookup)
		perValue(b, 1, func() { table.build(&c) })
	})
}
