package model

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawSet draws a small set together with its ids one by one.
func drawSet(t *rapid.T, name string) (*BatchSet, map[BatchID]bool) {
	set, ids := &BatchSet{}, map[BatchID]bool{}
	for _, n := range rapid.SliceOf(rapid.Uint8()).Draw(t, name) {
		id := BatchID{Origin: uint64(n >> 7), Epoch: uint64(n >> 6 & 1), Seq: uint64(n&15) + 1}
		set.Add(id)
		ids[id] = true
	}
	return set, ids
}

func TestBatchSetAlgebraIsThatOfSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, as := drawSet(t, "a")
		b, bs := drawSet(t, "b")
		minus, both, all := &BatchSet{}, &BatchSet{}, true
		for id := range as {
			if bs[id] {
				both.Add(id)
			} else {
				minus.Add(id)
				all = false
			}
		}
		if got := a.Minus(b); !got.Equal(minus) || got.Empty() != minus.Empty() {
			t.Fatalf("Minus gave %v, want %v", got, minus)
		}
		if got := a.Intersect(b); !got.Equal(both) {
			t.Fatalf("Intersect gave %v, want %v", got, both)
		}
		if got := b.ContainsAll(a); got != all {
			t.Fatalf("ContainsAll gave %v, want %v", got, all)
		}
		if got := a.Len(); got != uint64(len(as)) {
			t.Fatalf("Len gave %d, want %d", got, len(as))
		}
		if got := slices.Collect(a.All); len(got) != len(as) || !maps.Equal(as, asMap(got)) {
			t.Fatalf("All gave %v, want %v", got, as)
		}
		for id := range as {
			a.Remove(id)
			if a.Contains(id) {
				t.Fatalf("%v is there after Remove", id)
			}
			delete(as, id)
			if a.Len() != uint64(len(as)) {
				t.Fatalf("Remove left %d ids, want %d", a.Len(), len(as))
			}
		}
		if !a.Empty() {
			t.Fatalf("Remove of all left %v", a)
		}
	})
}

func asMap(ids []BatchID) map[BatchID]bool {
	m := map[BatchID]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}
