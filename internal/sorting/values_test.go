package sorting

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// value is what is sorted: by bits, at shows the order before.
type value struct {
	at   int
	bits uint64
}

func byBits(x, y value) int { return cmp.Compare(x.bits, y.bits) }

func TestManyValuesAreSorted(t *testing.T) {
	for _, kinds := range []uint64{1, 3, 1000, 1 << 60} {
		values := make([]value, 5*sortedAtOnce)
		for i := range values {
			values[i].bits = rand.Uint64N(kinds)
		}
		want := slices.Clone(values)
		slices.SortFunc(want, byBits)
		if err := Values(t.Context(), values, byBits); err != nil || !slices.Equal(values, want) {
			t.Errorf("values of %d kinds are not sorted: %v", kinds, err)
		}
	}
}

func TestEqualValuesStayInTheirOrder(t *testing.T) {
	for _, n := range []int{1, sortedAtOnce, 5*sortedAtOnce + 7} {
		values := make([]value, n)
		for i := range values {
			values[i] = value{at: i, bits: rand.Uint64N(100)}
		}
		want := slices.Clone(values)
		slices.SortStableFunc(want, byBits)
		if err := Stable(t.Context(), values, byBits); err != nil || !slices.Equal(values, want) {
			t.Errorf("%d values are not sorted as they should be: %v", n, err)
		}
	}
}

func TestSortingEndsWithTheQuery(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	values := make([]value, 4*sortedAtOnce)
	for i := range values {
		values[i].bits = uint64(i)
	}
	compared := 0
	err := Values(ctx, values, func(x, y value) int {
		if compared++; compared == 100 {
			cancel()
		}
		return byBits(x, y)
	})
	if !errors.Is(err, context.Canceled) || compared > 2*len(values) {
		t.Errorf("%v after %d comparisons", err, compared)
	}
}
