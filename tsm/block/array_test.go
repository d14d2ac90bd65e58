package block

import (
	"errors"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

func TestArraysGiveEachNumber(t *testing.T) {
	r := seeded.Rand(t)
	for _, shape := range shapes {
		for _, n := range append(lengths(r), 0) {
			values := make([]uint64, n)
			v := r.Uint64() >> r.IntN(64)
			for i := range values {
				v = shape.next(r, i, v)
				values[i] = v
			}
			a, rest, err := ReadArray(append(AppendArray(nil, values), 1, 2, 3), n)
			if err != nil || len(rest) != 3 || a.Len() != n {
				t.Fatalf("%s: array of %d: %d, %d bytes left, %v", shape.name, n, a.Len(), len(rest), err)
			}
			for i, v := range values {
				if got := a.Get(i); got != v {
					t.Fatalf("%s: number %d of %d is %#x, want %#x", shape.name, i, n, got, v)
				}
			}
		}
	}
}

func FuzzArray(f *testing.F) {
	f.Add(3, AppendArray(nil, []uint64{1, 5, 3}))
	f.Add(3, AppendArray(nil, []uint64{1 << 62, 1 << 61, 0}))
	f.Fuzz(func(t *testing.T, n int, p []byte) {
		a, rest, err := ReadArray(p, n)
		if err != nil {
			if !errors.Is(err, model.ErrCorrupt) {
				t.Fatalf("error %v, want %v", err, model.ErrCorrupt)
			}
			return
		}
		if len(rest) > len(p) || a.Len() != n {
			t.Fatalf("%d numbers, %d bytes left of %d", a.Len(), len(rest), len(p))
		}
		for _, i := range []int{0, n / 2, n - 1} {
			if i >= 0 && i < n {
				a.Get(i)
			}
		}
	})
}
