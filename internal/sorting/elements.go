package sorting

import (
	"context"
	"sort"
)

// Elements sorts n elements that are known by their indexes. Once ctx has ended
// all of them count as equal, which ends the sort within milliseconds.
func Elements(ctx context.Context, n int, less func(i, j int) bool, swap func(i, j int)) error {
	sort.Sort(&elements{ctx: ctx, n: n, less: less, swap: swap})
	return ctx.Err()
}

type elements struct {
	ctx  context.Context
	n    int
	less func(i, j int) bool
	swap func(i, j int)

	calls int
	over  bool
}

// checkEvery is how many comparisons are made between checks of the context.
const checkEvery = 4096

func (e *elements) Len() int      { return e.n }
func (e *elements) Swap(i, j int) { e.swap(i, j) }

func (e *elements) Less(i, j int) bool {
	if e.calls++; e.calls%checkEvery == 0 {
		e.over = e.over || e.ctx.Err() != nil
	}
	return !e.over && e.less(i, j)
}
