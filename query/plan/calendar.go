package plan

import (
	"strconv"
	"strings"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// LookBack begins the third argument of the time() that GROUP BY time(1h)
// fill(previous, 7d) is rewritten to before it is parsed; the duration follows.
const LookBack = "previous "

// monthNanos is the mean length of a month: a year has 365.2425 days.
const monthNanos = int64(2_629_746 * time.Second)

// calendarMonths gives the months of a duration such as '1mo', '2q' or '1y'.
func calendarMonths(e influxql.Expr) (months int, ok bool) {
	lit, isText := e.(*influxql.StringLiteral)
	if !isText {
		return 0, false
	}
	text := strings.TrimRight(lit.Val, "moqy")
	factor := map[string]int{"mo": 1, "q": 3, "y": 12}[lit.Val[len(text):]]
	n, err := strconv.Atoi(text)
	if err != nil || factor == 0 || n < 1 || n > maxMonths/factor {
		return 0, false
	}
	return n * factor, true
}

// maxMonths is more than there are in the times that can be stored.
const maxMonths = 12_000

// fillBack gives the duration of a fill(previous, d).
func fillBack(e influxql.Expr) (int64, bool) {
	lit, ok := e.(*influxql.StringLiteral)
	if !ok || !strings.HasPrefix(lit.Val, LookBack) {
		return 0, false
	}
	d, err := influxql.ParseDuration(lit.Val[len(LookBack):])
	return int64(d), err == nil && d > 0
}

// calendarIndex gives the number of the window of t, 0 being the one that
// begins with 1970.
func (w *Window) calendarIndex(t int64) int64 {
	y, m, _ := time.Unix(0, addTime(t, -w.Offset)).In(w.location()).Date()
	i := floorDiv(int64(y-1970)*12+int64(m)-1, int64(w.Months))
	// A clock that changes between a month's beginning and the offset behind it
	// can be off by one window.
	for t < w.calendarStart(i) {
		i--
	}
	for next := w.calendarStart(i + 1); next < model.MaxTime && t >= next; next = w.calendarStart(i + 1) {
		i++
	}
	return i
}

// calendarStart gives the first nanosecond of a window. The ends of time cut
// windows short.
func (w *Window) calendarStart(i int64) int64 {
	months := i * int64(w.Months)
	first := time.Date(1970, time.Month(1+months), 1, 0, 0, 0, 0, w.location()).Unix()
	switch {
	case first <= model.MinTime/int64(time.Second):
		return model.MinTime
	case first >= model.MaxTime/int64(time.Second):
		return model.MaxTime
	}
	return addTime(first*int64(time.Second), w.Offset)
}

// addTime gives t later by d, between the ends of time.
func addTime(t, d int64) int64 {
	switch {
	case d > 0 && t > model.MaxTime-d:
		return model.MaxTime
	case d < 0 && t < model.MinTime-d:
		return model.MinTime
	}
	return t + d
}

func (w *Window) location() *time.Location {
	if w.Zone == nil {
		return time.UTC
	}
	return w.Zone
}

func floorDiv(x, y int64) int64 {
	q := x / y
	if x%y < 0 {
		q--
	}
	return q
}
