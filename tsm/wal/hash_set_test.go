package wal

import (
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

func TestHashSetHoldsWhatWasAdded(t *testing.T) {
	rng := seeded.Rand(t)
	var s hashSet
	want := map[model.SeriesHash]bool{}
	hash := func() model.SeriesHash { // few, so that many meet in a slot
		return model.SeriesHash{Hi: rng.Uint64N(4), Lo: rng.Uint64N(3) << rng.IntN(20)}
	}
	for range 20_000 {
		h := hash()
		if s.has(h) != want[h] {
			t.Fatalf("has(%v) is %t", h, s.has(h))
		}
		if h = hash(); rng.IntN(10) == 0 {
			s.add(h)
			want[h] = true
		}
	}
	for range 5_000 {
		h := model.SeriesHash{Hi: rng.Uint64(), Lo: rng.Uint64()}
		s.add(h)
		want[h] = true
	}
	for h := range want {
		if !s.has(h) {
			t.Errorf("%v was added and is not there", h)
		}
	}
	delete(want, model.SeriesHash{})
	if s.len() != len(want) {
		t.Errorf("%d hashes, want %d", s.len(), len(want))
	}
}
