package plan

import (
	"time"

	"github.com/varvedb/varve/model"
)

// maxZone is more than a clock anywhere is ahead of UTC or behind it.
const maxZone = int64(26 * time.Hour)

// zoneBounds gives the window of t by the clock of the zone. It begins when the
// clock first shows its beginning, or a later time, and ends when that of the
// next one does: where the clock is set back or forward by less than Every, it
// is longer or shorter by the change. A change by a multiple of Every leaves all
// as it is, and at any other change that is larger one window ends and another
// begins.
//
// InfluxDB has these windows, too, as long as no clock changes. Around a change
// some of its own overlap, and some rows are of windows without a point.
func (w *Window) zoneBounds(t int64) (start, end int64) {
	now := w.spanOf(t)
	into := (t - w.Offset + now.zone) % w.Every
	if into < 0 {
		into += w.Every
	}
	start, end = addTime(t, -into), addTime(t, w.Every-into)
	if now.begin != model.MinTime && start < now.begin+maxZone {
		before := w.spanOf(now.begin - 1).zone
		switch change := now.zone - before; { // 0 where another rule gives the same
		case change != 0 && change%w.Every == 0:
		case abs(change) > w.Every:
			start = max(start, now.begin)
		default:
			clock := start + now.zone
			if clock+w.Every < now.begin+before {
				// Set back across the end of a window, which had passed.
				clock += w.Every
				end = addTime(end, w.Every)
			}
			start = w.whenShows(clock)
		}
	}
	if now.end != model.MaxTime && end >= now.end {
		switch change := w.spanOf(now.end).zone - now.zone; {
		case change != 0 && change%w.Every == 0:
		case abs(change) > w.Every:
			end = now.end
		default:
			end = w.whenShows(end + now.zone)
		}
	}
	return start, end
}

// whenShows gives the first time at which the zone's clock shows at least clock.
func (w *Window) whenShows(clock int64) int64 {
	for s := w.spanOf(addTime(clock, -maxZone)); ; s = w.spanOf(s.end) {
		if t := addTime(clock, -s.zone); t < s.end || s.end == model.MaxTime {
			return max(t, s.begin)
		}
	}
}

// span is times in a row at which a zone is as far from UTC, in nanoseconds.
type span struct{ begin, end, zone int64 }

// spanOf gives the span of t.
func (w *Window) spanOf(t int64) span {
	at := time.Unix(0, t).In(w.Zone)
	_, seconds := at.Zone()
	begin, end := at.ZoneBounds()
	if !end.IsZero() && !end.After(at) {
		// Beyond the zone's table package time ends leap years a day early.
		end = end.Add(24 * time.Hour)
	}
	s := span{begin: model.MinTime, end: model.MaxTime, zone: int64(seconds) * int64(time.Second)}
	if !begin.IsZero() && begin.Unix() > model.MinTime/int64(time.Second) {
		s.begin = begin.UnixNano()
	}
	if !end.IsZero() && end.Unix() < model.MaxTime/int64(time.Second) {
		s.end = end.UnixNano()
	}
	return s
}

func abs(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}
