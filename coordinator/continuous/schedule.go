package continuous

import (
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/plan"
)

// schedule says when a continuous query runs and over which range, as InfluxDB
// does. A mark is the time up to which a query has run: the start of one of
// runs.
type schedule struct {
	windows plan.Window   // of GROUP BY time
	runs    plan.Window   // between the times at which it runs; as windows where RESAMPLE says nothing
	span    time.Duration // of RESAMPLE FOR; 0: not given
}

func newSchedule(q *query.ContinuousSelect) schedule {
	s := schedule{windows: q.Window, runs: q.Window, span: q.For}
	if q.Every > 0 {
		s.runs = plan.Window{Every: int64(q.Every), Offset: q.Window.Offset % int64(q.Every), Zone: q.Window.Zone}
	}
	return s
}

// mark gives that of a query that has run at a time.
func (s *schedule) mark(at int64) int64 {
	start, _ := s.runs.Bounds(at)
	return start
}

// next gives when a query with a mark is due.
func (s *schedule) next(mark int64) int64 {
	_, end := s.runs.Bounds(mark)
	return end
}

// until gives the time for which a run that was due at next is to be made, so
// that it makes up for missed ones over no more than n windows beyond the first.
func (s *schedule) until(next, now int64, n int) int64 {
	step := s.runs
	if s.windows.Every > step.Every {
		step = s.windows
	}
	at := next
	for range n {
		_, end := step.Bounds(at)
		if end > now {
			return now
		}
		at = end
	}
	return at
}

// covers gives the range of a run at a time that was due at next. It is empty
// when no window has ended since.
func (s *schedule) covers(next, at int64) model.TimeRange {
	first, _ := s.windows.Bounds(next - 1)
	switch {
	case s.span > 0:
		_, first = s.windows.Bounds(next - 1 - int64(s.span))
	case s.runs.Every > s.windows.Every:
		_, first = s.windows.Bounds(next - 1 - s.runs.Every)
	}
	// The window in which the run before was may have grown since. InfluxDB does
	// not look, and so misses windows where of the two lengths none is a multiple
	// of the other; months never are, nor is the day on which clocks are set back.
	since, _ := s.windows.Bounds(s.mark(next - 1))
	first = min(first, since)
	last, _ := s.windows.Bounds(at)
	if s.runs.Every < s.windows.Every {
		_, last = s.windows.Bounds(at - s.runs.Every) // a window is computed before it has ended
	}
	return model.TimeRange{Min: first, Max: last - 1}
}
