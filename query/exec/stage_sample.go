package exec

import (
	"cmp"
	"context"
	"math/rand/v2"

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

func newSampleStage(ctx context.Context, window *plan.Window, descending bool, s *plan.Stage, held *budget) *sampleStage {
	return &sampleStage{n: s.N, descending: descending, window: passage{window: window}, rows: keptRows{ctx: ctx, held: held}}
}

func (s *sampleStage) add(in, out *points) error {
	for i, at := range in.times {
		if !in.value.Has(i) {
			continue
		}
		if s.window.left(at) {
			if err := s.end(out); err != nil {
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
	if len(s.rows.times) > 2*len(s.chosen)+rowsBetweenCounts {
		if err := sortValues(s.rows.ctx, s.chosen, cmp.Compare); err != nil {
			return err
		}
		s.rows.compact(s.chosen)
		for i := range s.chosen {
			s.chosen[i] = i
		}
	}
	return s.rows.count()
}

// end hands out the points of a window, those of equal time by value.
func (s *sampleStage) end(out *points) error {
	if err := sortValues(s.rows.ctx, s.chosen, cmp.Compare); err != nil {
		return err
	}
	if err := sortStable(s.rows.ctx, s.chosen, s.rows.orderValues); err != nil {
		return err
	}
	if err := s.rows.sortByTime(s.chosen, s.descending); err != nil {
		return err
	}
	for _, i := range s.chosen {
		out.appendRow(&s.rows.points, i, s.rows.times[i])
	}
	s.rows.reset()
	s.chosen, s.seen = s.chosen[:0], 0
	return s.rows.count()
}
