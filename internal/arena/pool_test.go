package arena

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestPiecesInUseDoNotOverlap(t *testing.T) {
	p := New(4 << 20)
	var wg sync.WaitGroup
	for g := range byte(4) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			var held [][]byte
			for range 300 {
				if len(held) > 0 && rng.IntN(2) == 0 {
					i := rng.IntN(len(held))
					b := held[i]
					for at, v := range b {
						if v != g+1 {
							t.Errorf("byte %d of %d became %d", at, len(b), v)
							return
						}
					}
					if err := p.Put(b[:rng.IntN(len(b)+1)]); err != nil {
						t.Error(err)
						return
					}
					held[i] = held[len(held)-1]
					held = held[:len(held)-1]
					continue
				}
				b := p.Get(1 + rng.IntN(3<<rng.IntN(20)))
				for i := range b {
					b[i] = g + 1
				}
				held = append(held, b)
			}
			for _, b := range held {
				if err := p.Put(b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := p.Used(); n != 0 {
		t.Errorf("%d bytes are in use after all came back", n)
	}
	if n := p.Free(); n == 0 || n > 4<<20 {
		t.Errorf("%d bytes are kept, want some and at most 4 MiB", n)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	b := p.Get(MinBytes)
	if err := p.Put(b); err != nil {
		t.Error(err)
	}
	if n := p.Free(); n != 0 {
		t.Errorf("a closed pool keeps %d bytes", n)
	}
}

func TestMemoryIsUsedAgain(t *testing.T) {
	p := New(1 << 20)
	b := p.Get(100_000)
	first := &b[0]
	if err := p.Put(b); err != nil {
		t.Fatal(err)
	}
	if b = p.Get(90_000); &b[0] != first {
		t.Error("a piece that was given back is not used again")
	}
	if n := len(As[uint32](b)); n != 22_500 {
		t.Errorf("90000 bytes are %d numbers of 4", n)
	}
	if err := p.Put(b); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutAPoolTheHeapServes(t *testing.T) {
	var p *Pool
	b := p.Get(100_000)
	if len(b) != 100_000 || len(As[int64](b)) != 12_500 {
		t.Errorf("%d bytes, want 100000", len(b))
	}
	if err := p.Put(b); err != nil {
		t.Fatal(err)
	}
}

// Filling fresh memory costs a fault for every page.
func BenchmarkFill(b *testing.B) {
	const n = 1 << 19
	fill := func(b *testing.B, p *Pool) {
		b.SetBytes(n)
		for b.Loop() {
			piece := p.Get(n)
			for i := range As[uint64](piece) {
				As[uint64](piece)[i] = uint64(i)
			}
			if err := p.Put(piece); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("kept", func(b *testing.B) { fill(b, New(1<<20)) })
	b.Run("mapped anew", func(b *testing.B) { fill(b, New(0)) })
	b.Run("heap", func(b *testing.B) { fill(b, nil) })
}
