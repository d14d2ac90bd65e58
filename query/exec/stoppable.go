package exec

import (
	"context"
	"sort"
)

// stoppable sorts what may take seconds. Once its context has ended all elements
// count as equal, which ends the sort within milliseconds.
type stoppable struct {
	ctx  context.Context
	n    int
	less func(i, j int) bool
	swap func(i, j int)

	calls int
	over  bool
}

func (s *stoppable) sort() error {
	sort.Sort(s)
	return s.ctx.Err()
}

func (s *stoppable) Len() int      { return s.n }
func (s *stoppable) Swap(i, j int) { s.swap(i, j) }

func (s *stoppable) Less(i, j int) bool {
	if s.calls++; s.calls%checkEvery == 0 {
		s.over = s.over || s.ctx.Err() != nil
	}
	return !s.over && s.less(i, j)
}
