package plan

import (
	"math"
	"time"

	"github.com/varvedb/varve/model"
)

// Window is the windows of a GROUP BY time: they begin at multiples of Every
// since 1970 on the clock of a zone, moved by Offset. The zero Window is one
// window for all times.
type Window struct {
	Every  int64          // nanoseconds; 0 for no windows
	Offset int64          // nanoseconds, between -Every and Every
	Zone   *time.Location // nil for UTC
	// Months makes windows of the calendar: they begin with every so manieth month
	// since 1970, and Every is their mean length. 0 for windows by the clock.
	Months int
}

// Even reports whether all windows have the same length.
func (w *Window) Even() bool { return w.Zone == nil && w.Months == 0 }

// IsZero reports whether there are no windows.
func (w *Window) IsZero() bool { return w.Every == 0 }

// Bounds gives the window of t: its first nanosecond and the first after it.
// The ends of time cut windows short. Windows tile the times, those of a zone,
// too, whatever its clock does.
func (w *Window) Bounds(t int64) (start, end int64) {
	switch {
	case w.Months > 0:
		i := w.calendarIndex(t)
		return w.calendarStart(i), w.calendarStart(i + 1)
	case w.Zone != nil:
		return w.zoneBounds(t)
	}
	t -= w.Offset
	into := t % w.Every
	if into < 0 {
		into += w.Every
	}
	start = model.MinTime
	if model.MinTime+into < t {
		start = t - into
	}
	left := w.Every - into
	end = model.MaxTime
	if model.MaxTime-left > t {
		end = t + left
	}
	return start + w.Offset, end + w.Offset
}

// Next gives the start of the window after, or before, the one that starts at
// start. It does not get further than the ends of time.
func (w *Window) Next(start int64, descending bool) int64 {
	switch {
	case w.Even() && descending:
		return start - w.Every
	case w.Even():
		return start + w.Every
	case descending:
		before, _ := w.Bounds(addTime(start, -1))
		return before
	}
	_, end := w.Bounds(start)
	return end
}

// Move gives the time n windows after t, or before it where n is negative.
// Windows by the clock count with their nominal length.
func (w *Window) Move(t, n int64) int64 {
	switch {
	case w.Months > 0:
		n = max(-maxMonths, min(n, maxMonths))
		i := w.calendarIndex(t)
		return addTime(w.calendarStart(i+n), t-w.calendarStart(i))
	case n > math.MaxInt64/w.Every:
		return model.MaxTime
	case n < -(math.MaxInt64 / w.Every):
		return model.MinTime
	}
	return addTime(t, n*w.Every)
}

// Index gives the number of the window that starts at start. Windows in a row
// have numbers in a row, but for those of a zone whose clock changes.
func (w *Window) Index(start int64) int64 {
	if w.Months > 0 {
		return w.calendarIndex(start)
	}
	return start / w.Every
}

// Count gives how many windows there are from the one that starts at first to
// the one that starts at last.
func (w *Window) Count(first, last int64) uint64 {
	if w.Months > 0 {
		return uint64(w.calendarIndex(last)-w.calendarIndex(first)) + 1
	}
	return uint64(last-first)/uint64(w.Every) + 1
}

// Label gives the time that is shown for a window: that of the window which
// the beginning of time cuts short is 0.
func Label(start int64) int64 {
	if start == model.MinTime {
		return 0
	}
	return start
}
