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
// The ends of time cut windows short.
//
// With a zone a window follows the clock there, so one in which the clock
// changes is longer or shorter by the change, as long as the change is less
// than Every.
func (w *Window) Bounds(t int64) (start, end int64) {
	if w.Months > 0 {
		i := w.calendarIndex(t)
		return w.calendarStart(i), w.calendarStart(i + 1)
	}
	t -= w.Offset
	zone := w.zone(t)
	into := (t + zone) % w.Every
	if into < 0 {
		into += w.Every
	}
	start = model.MinTime
	if model.MinTime+into < t {
		start = t - into
	}
	start += w.Offset
	if w.Zone != nil {
		if o := zone - w.zone(start); o != 0 && abs(o) < w.Every {
			start += o
		}
	}
	left := w.Every - into
	end = model.MaxTime
	if model.MaxTime-left > t {
		end = t + left
	}
	if w.Zone != nil {
		at := w.zone(end)
		if o := zone - at; o != 0 && abs(o) < w.Every {
			// A clock set back prolongs this window. A clock set forward
			// shortens it only if that happens before the window's end.
			if o > 0 || w.zone(end+o) == at {
				end += o
			}
		}
	}
	return start, end + w.Offset
}

// Next gives the start of the window after, or before, the one that starts at
// start, when the zone's distance from UTC was offset there; it gives the new
// distance, too.
func (w *Window) Next(start, offset int64, descending bool) (next, newOffset int64) {
	if w.Months > 0 {
		i := w.calendarIndex(start)
		if descending {
			return w.calendarStart(i - 1), 0
		}
		return w.calendarStart(i + 1), 0
	}
	if descending {
		next = start - w.Every
	} else {
		next = start + w.Every
	}
	if w.Zone == nil {
		return next, 0
	}
	now := w.zone(next - 1)
	if now == offset {
		return next, offset
	}
	if diff := offset - now; abs(diff) < w.Every {
		next += diff
	}
	return next, now
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

// ZoneOffset gives the zone's distance from UTC at t, in nanoseconds.
func (w *Window) ZoneOffset(t int64) int64 { return w.zone(t) }

func (w *Window) zone(t int64) int64 {
	if w.Zone == nil {
		return 0
	}
	_, seconds := time.Unix(0, t).In(w.Zone).Zone()
	return int64(seconds) * int64(time.Second)
}

func abs(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}
