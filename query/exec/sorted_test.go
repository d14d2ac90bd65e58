package exec

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

func byBits(x, y collected) int { return compare(x.bits, y.bits) }

func TestManyValuesAreSorted(t *testing.T) {
	for _, kinds := range []uint64{1, 3, 1000, 1 << 60} {
		values := make([]collected, 5*sortedAtOnce)
		for i := range values {
			values[i].bits = rand.Uint64N(kinds)
		}
		want := slices.Clone(values)
		slices.SortFunc(want, byBits)
		if err := sortValues(t.Context(), values, byBits); err != nil || !slices.Equal(values, want) {
			t.Errorf("values of %d kinds are not sorted: %v", kinds, err)
		}
	}
}

func TestEqualValuesStayInTheirOrder(t *testing.T) {
	for _, n := range []int{1, sortedAtOnce, 5*sortedAtOnce + 7} {
		values := make([]collected, n)
		for i := range values {
			values[i] = collected{at: int64(i), bits: rand.Uint64N(100)}
		}
		want := slices.Clone(values)
		slices.SortStableFunc(want, byBits)
		if err := sortStable(t.Context(), values, byBits); err != nil || !slices.Equal(values, want) {
			t.Errorf("%d values are not sorted as they should be: %v", n, err)
		}
	}
}

func TestSortingEndsWithTheQuery(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	values := make([]collected, 4*sortedAtOnce)
	for i := range values {
		values[i].bits = uint64(i)
	}
	compared := 0
	err := sortValues(ctx, values, func(x, y collected) int {
		if compared++; compared == 100 {
			cancel()
		}
		return byBits(x, y)
	})
	if !errors.Is(err, context.Canceled) || compared > 2*len(values) {
		t.Errorf("%v after %d comparisons", err, compared)
	}
}
