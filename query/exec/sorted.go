package exec

import (
	"context"
	"math/rand/v2"
	"slices"
)

// sortedAtOnce is how many values are sorted without looking at the context: a
// few milliseconds.
const sortedAtOnce = 1 << 15

// sortValues sorts values in place and ends soon after ctx does: ten millions
// take seconds. It is quicksort with three parts, since values often repeat,
// and pivots that nobody can foresee, down to what slices.SortFunc does at once.
func sortValues(ctx context.Context, values []collected, order func(x, y collected) int) error {
	for len(values) > sortedAtOnce {
		if err := ctx.Err(); err != nil {
			return err
		}
		lo, hi := partition(values, pivot(values, order), order)
		small, large := values[:lo], values[hi:]
		if len(small) > len(large) {
			small, large = large, small
		}
		if err := sortValues(ctx, small, order); err != nil {
			return err
		}
		values = large
	}
	slices.SortFunc(values, order)
	return ctx.Err()
}

// placeValue puts the value at index i that sorting would put there, no greater
// ones before it and no lesser ones behind it. It ends soon after ctx does.
func placeValue(ctx context.Context, values []collected, i int, order func(x, y collected) int) error {
	for len(values) > fewValues {
		if err := ctx.Err(); err != nil {
			return err
		}
		lo, hi := partition(values, pivot(values, order), order)
		switch {
		case i < lo:
			values = values[:lo]
		case i >= hi:
			values, i = values[hi:], i-hi
		default:
			return nil
		}
	}
	slices.SortFunc(values, order)
	return ctx.Err()
}

// fewValues are sorted faster than a part of them is found.
const fewValues = 32

// pivot gives the one in the middle of three values.
func pivot(values []collected, order func(x, y collected) int) collected {
	three := make([]collected, 3)
	for i := range three {
		three[i] = values[rand.IntN(len(values))]
	}
	slices.SortFunc(three, order)
	return three[1]
}

// partition moves what is before p to the front, up to lo, and what is behind
// it to the end, from hi on.
func partition(values []collected, p collected, order func(x, y collected) int) (lo, hi int) {
	hi = len(values)
	for i := 0; i < hi; {
		switch c := order(values[i], p); {
		case c < 0:
			values[i], values[lo] = values[lo], values[i]
			lo++
			i++
		case c > 0:
			hi--
			values[i], values[hi] = values[hi], values[i]
		default:
			i++
		}
	}
	return lo, hi
}
