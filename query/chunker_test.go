package query

import (
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

func TestChunkerGivesPiecesOfTheSizeAskedFor(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		size := 1 + rng.IntN(7)
		var got []*exec.Rows
		c := chunker{size: size, emit: func(r *exec.Rows) error {
			cp := *r
			cp.Times = append([]int64(nil), r.Times...)
			got = append(got, &cp)
			return nil
		}}
		var want [][]int64 // the times of each series
		clock := int64(0)
		for range 1 + rng.IntN(4) {
			var all []int64
			for pieces := 1 + rng.IntN(4); pieces > 0; pieces-- {
				r := exec.Rows{Name: "m", Columns: []string{"time", "v"}, Times: []int64{}, More: pieces > 1, Values: []model.Column{{Field: model.Field{Name: "v", Type: model.Integer}}}}
				for range 1 + rng.IntN(9) {
					clock++
					r.Times = append(r.Times, clock)
					r.Values[0].AppendBits(uint64(clock))
					all = append(all, clock)
				}
				if err := c.add(&r); err != nil {
					t.Fatal(err)
				}
			}
			want = append(want, all)
		}
		for _, all := range want {
			for len(all) > 0 {
				n := min(size, len(all))
				if len(got) == 0 {
					t.Fatalf("seed %d: no piece for %v", seed, all)
				}
				r := got[0]
				got = got[1:]
				if r.Len() != n || r.Times[0] != all[0] || r.Times[n-1] != all[n-1] || r.More != (n < len(all)) {
					t.Fatalf("seed %d: size %d: piece %v more %v, want the first %d of %v", seed, size, r.Times, r.More, n, all)
				}
				all = all[n:]
			}
		}
		if len(got) > 0 {
			t.Fatalf("seed %d: %d pieces too many", seed, len(got))
		}
	}
}
