package model_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/model"
)

func TestBatchSetAgreesWithMap(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var s, half model.BatchSet
		want := map[model.BatchID]bool{}
		for range 1 + rng.IntN(200) {
			id := model.BatchID{Origin: rng.Uint64N(2), Epoch: rng.Uint64N(2), Seq: rng.Uint64N(60)}
			if rng.IntN(50) == 0 {
				id.Seq = math.MaxUint64 - rng.Uint64N(3)
			}
			if got := s.Add(id); got == want[id] {
				t.Fatalf("seed %d: Add(%v) = %v, want %v", seed, id, got, !want[id])
			}
			want[id] = true
			if rng.IntN(2) == 0 {
				half.Add(id)
			}
		}
		for origin := range uint64(2) {
			for epoch := range uint64(2) {
				for seq := range uint64(62) {
					id := model.BatchID{Origin: origin, Epoch: epoch, Seq: seq}
					if s.Contains(id) != want[id] {
						t.Fatalf("seed %d: Contains(%v) = %v, want %v", seed, id, !want[id], want[id])
					}
				}
			}
		}
		b := s.Append(nil)
		back, rest, err := model.DecodeBatchSet(append(b, 7))
		if err != nil || len(rest) != 1 || !back.Equal(&s) {
			t.Fatalf("seed %d: DecodeBatchSet: %v, rest %d, equal %v", seed, err, len(rest), err == nil && back.Equal(&s))
		}
		c := half.Clone()
		c.AddAll(&s)
		if !c.Equal(&s) || s.Empty() {
			t.Fatalf("seed %d: union with a subset differs", seed)
		}
	}
}

func TestBatchSetOfConsecutiveIDsIsSmall(t *testing.T) {
	var s model.BatchSet
	for i := range uint64(100_000) {
		s.Add(model.BatchID{Origin: 1, Epoch: 2, Seq: i + 1})
	}
	if n := len(s.Append(nil)); n > 20 {
		t.Errorf("100000 consecutive ids take %d bytes, want at most 20", n)
	}
}

func FuzzDecodeBatchSet(f *testing.F) {
	var s model.BatchSet
	for _, seq := range []uint64{1, 2, 3, 9, math.MaxUint64} {
		s.Add(model.BatchID{Origin: 3, Epoch: 77, Seq: seq})
		s.Add(model.BatchID{Origin: 400, Epoch: 1, Seq: 2 * seq})
	}
	f.Add(s.Append(nil))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, rest, err := model.DecodeBatchSet(b)
		if err != nil {
			return
		}
		again, rest2, err := model.DecodeBatchSet(s.Append(nil))
		if err != nil || len(rest2) != 0 || !again.Equal(s) || len(rest) > len(b) {
			t.Fatalf("a decoded set does not survive encoding: %v", err)
		}
	})
}
