package stage

import (
	"cmp"
	"context"
	"math/rand/v2"

	"github.com/varvedb/varve/internal/sorting"
	"github.com/varvedb/varve/query/plan"
)

// sampleStage is sample(): n points of each window, each as likely as any other
// (Vitter's reservoir, algorithm R).
type sampleStage struct {
	n          int
	descending bool
	window     passage
	rows       keptRows
	chosen     []int // of rows
	seen       int   // points of the window
}

func newSampleStage(ctx context.Context, window *plan.Window, descending bool, s *plan.Stage, held *Budget) *sampleStage {
	return &sampleStage{n: s.N, descending: descending, window: passage{window: window}, rows: keptRows{ctx: ctx, held: held}}
}

func (s *sampleStage) Add(in, out *Points) error {
	for i, at := range in.Times {
		if !in.Value.Has(i) {
			continue
		}
		if s.window.left(at) {
			if err := s.End(out); err != nil {
				return err
			}
		}
		s.window.enter(at)
		s.seen++
		if len(s.chosen) < s.n {
			s.chosen = append(s.chosen, s.rows.append(in, i))
		} else if j := rand.IntN(s.seen); j < s.n {
			s.chosen[j] = s.rows.append(in, i)
		}
		if i%rowsBetweenCounts == 0 {
			if err := s.count(); err != nil {
				return err
			}
		}
	}
	return s.count()
}

// count counts the state, after dropping rows that fell out where they are the
// most.
func (s *sampleStage) count() error {
	if len(s.rows.Times) > 2*len(s.chosen)+rowsBetweenCounts {
		if err := sorting.Values(s.rows.ctx, s.chosen, cmp.Compare); err != nil {
			return err
		}
		s.rows.compact(s.chosen)
		for i := range s.chosen {
			s.chosen[i] = i
		}
	}
	return s.rows.count()
}

// End hands out the points of a window, those of equal time by value.
func (s *sampleStage) End(out *Points) error {
	if err := sorting.Values(s.rows.ctx, s.chosen, cmp.Compare); err != nil {
		return err
	}
	if err := sorting.Stable(s.rows.ctx, s.chosen, s.rows.orderValues); err != nil {
		return err
	}
	if err := s.rows.sortByTime(s.chosen, s.descending); err != nil {
		return err
	}
	for _, i := range s.chosen {
		out.AppendRow(&s.rows.Points, i, s.rows.Times[i])
	}
	s.rows.Reset()
	s.chosen, s.seen = s.chosen[:0], 0
	return s.rows.count()
}
