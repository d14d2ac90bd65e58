package exec

import (
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

// sequence is the windows of a range one after the other, in the order of the
// result, and before and after them those of points outside of it.
type sequence struct {
	of     *plan.Bound
	next   int64 // the next window
	end    int64 // the last one
	ranOut bool
	open   bool // the range has no beginning: the windows begin or end with the points
}

// newSequence gives the windows of r. first and last are the windows of the
// first and the last point in the order of the result.
func newSequence(b *plan.Bound, r model.TimeRange, first, last int64) sequence {
	s := sequence{of: b, open: r.Min == model.MinTime}
	if b.Descending {
		s.next, _ = b.Window.Bounds(r.Max)
		if s.end, _ = b.Window.Bounds(r.Min); s.open {
			s.end = last
		}
	} else {
		if s.next, _ = b.Window.Bounds(r.Min); s.open {
			s.next = first
		}
		s.end, _ = b.Window.Bounds(r.Max)
	}
	return s
}

// after reports whether t comes after u in the result.
func (s *sequence) after(t, u int64) bool { return t != u && (t > u) != s.of.Descending }

// step gives the start of the next window, false at the end. point is that of
// the next one with points, if there is some.
func (s *sequence) step(point int64, some bool) (int64, bool) {
	s.ranOut = s.ranOut || s.after(s.next, s.end)
	if s.ranOut {
		return point, some
	}
	at := s.next
	if some && s.after(s.next, point) {
		at = point
	}
	next := s.of.Window.Next(s.next, s.of.Descending)
	if !s.after(next, s.next) {
		s.ranOut = true // past the end of time
	}
	s.next = next
	return at, true
}
