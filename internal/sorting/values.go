package sorting

import (
	"context"
	"math/rand/v2"
	"slices"
)

// sortedAtOnce is how many values are sorted without looking at the context: a
// few milliseconds.
const sortedAtOnce = 1 << 15

// Values sorts values in place and ends soon after ctx does: ten millions
// take seconds. It is quicksort with three parts, since values often repeat,
// and pivots that nobody can foresee, down to what slices.SortFunc does at once.
func Values[T any](ctx context.Context, values []T, order func(x, y T) int) error {
	for len(values) > sortedAtOnce {
		if err := ctx.Err(); err != nil {
			return err
		}
		lo, hi := partition(values, pivot(values, order), order)
		small, large := values[:lo], values[hi:]
		if len(small) > len(large) {
			small, large = large, small
		}
		if err := Values(ctx, small, order); err != nil {
			return err
		}
		values = large
	}
	slices.SortFunc(values, order)
	return ctx.Err()
}

// Stable sorts values so that equal ones stay in their order, and ends soon
// after ctx does. It is mergesort, down to what slices.SortStableFunc does at once.
func Stable[T any](ctx context.Context, values []T, order func(x, y T) int) error {
	if len(values) <= sortedAtOnce {
		slices.SortStableFunc(values, order)
		return ctx.Err()
	}
	half := len(values) / 2
	for _, part := range [][]T{values[:half], values[half:]} {
		if err := Stable(ctx, part, order); err != nil {
			return err
		}
	}
	left, right := slices.Clone(values[:half]), values[half:]
	for i := 0; len(left) > 0; i++ { // what is left of right then is in its place
		if i%sortedAtOnce == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if len(right) == 0 || order(left[0], right[0]) <= 0 {
			values[i], left = left[0], left[1:]
		} else {
			values[i], right = right[0], right[1:]
		}
	}
	return nil
}

// Place puts the value at index i that sorting would put there, no greater
// ones before it and no lesser ones behind it. It ends soon after ctx does.
func Place[T any](ctx context.Context, values []T, i int, order func(x, y T) int) error {
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
func pivot[T any](values []T, order func(x, y T) int) T {
	three := make([]T, 3)
	for i := range three {
		three[i] = values[rand.IntN(len(values))]
	}
	slices.SortFunc(three, order)
	return three[1]
}

// partition moves what is before p to the front, up to lo, and what is behind
// it to the end, from hi on.
func partition[T any](values []T, p T, order func(x, y T) int) (lo, hi int) {
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
