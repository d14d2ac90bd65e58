package query

import (
	"math"
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

// However large the pieces that a client asks for, only so much is held.
func TestChunkerHoldsABoundedPiece(t *testing.T) {
	text := make([]byte, 1<<20)
	rows, most := 0, 0
	c := chunker{size: math.MaxInt, emit: func(r *exec.Rows) error {
		rows += r.Len()
		most = max(most, len(r.Values[0].Text))
		if r.More != (rows < 100) {
			t.Errorf("after %d rows of 100 there are more: %v", rows, r.More)
		}
		return nil
	}}
	for i := range 100 {
		r := exec.Rows{Name: "m", Columns: []string{"time", "v"}, Times: []int64{int64(i)}, More: i < 99, Values: []model.Column{{Field: model.Field{Name: "v", Type: model.String}}}}
		r.Values[0].AppendText(text)
		if err := c.add(&r); err != nil {
			t.Fatal(err)
		}
	}
	if rows != 100 || most > maxHeldBytes+len(text) {
		t.Errorf("got %d rows in pieces of up to %d bytes", rows, most)
	}
}
