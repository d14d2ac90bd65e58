package exec

import (
	"context"

	"github.com/varvedb/varve/internal/sorting"
	"github.com/varvedb/varve/query/plan"
)

// windows gives slots to the windows that hold points, in order of appearance.
// Its memory depends on the number of those and not on the length of the
// query's range.
type windows struct {
	w      *plan.Window
	starts []int64 // by slot

	// The window of the last look-up; one for all times when w is zero.
	start, end int64
	slot       int

	pages   map[int64]*[pageWindows]int32 // slot+1 by window, where all are as long
	last    *[pageWindows]int32           // the page of the last look-up
	lastAt  int64
	byStart map[int64]int32 // slot by start, where they are not
}

// pageWindows is a power of two; a page is 1 KB.
const pageWindows = 256

func newWindows(w *plan.Window) *windows {
	d := &windows{w: w}
	d.reset()
	return d
}

// keptPages is how many pages stay for the next group.
const keptPages = 16

func (d *windows) reset() {
	switch {
	case d.w.IsZero():
	case !d.w.Even():
		d.byStart = map[int64]int32{}
	case d.pages == nil || len(d.pages) > keptPages:
		d.pages, d.last = map[int64]*[pageWindows]int32{}, nil
	default:
		for _, start := range d.starts {
			*d.place(start) = 0
		}
	}
	d.starts = d.starts[:0]
	d.slot = -1
}

// bytes is what the look-up tables take.
func (d *windows) bytes() int {
	return len(d.pages)*pageWindows*4 + len(d.byStart)*24 + len(d.starts)*8
}

// find gives the slot of the window of t, and the first time after it. isNew
// is set when the slot is new.
func (d *windows) find(t int64) (slot int, end int64, isNew bool) {
	switch {
	case d.w.IsZero():
		if d.slot < 0 {
			d.slot, isNew = 0, true
			d.starts = append(d.starts, 0)
		}
		return 0, forever, isNew
	case d.slot >= 0 && t >= d.start && t < d.end:
		return d.slot, d.end, false
	}
	d.start, d.end = d.w.Bounds(t)
	if d.end <= t {
		d.end = t + 1 // the last window of all
	}
	d.slot, isNew = d.slotOf(d.start)
	return d.slot, d.end, isNew
}

// forever is after every time.
const forever = 1<<63 - 1

// slotOf gives the slot of the window that starts at start.
func (d *windows) slotOf(start int64) (slot int, isNew bool) {
	next := int32(len(d.starts))
	if !d.w.Even() {
		s, ok := d.byStart[start]
		if !ok {
			s = next
			d.byStart[start] = s
			d.starts = append(d.starts, start)
		}
		return int(s), !ok
	}
	s := d.place(start)
	if *s == 0 {
		d.starts = append(d.starts, start)
		*s = next + 1
		return int(next), true
	}
	return int(*s - 1), false
}

// place gives where the slot of a window is kept, one more than its number.
func (d *windows) place(start int64) *int32 {
	at := floorDiv(start-d.w.Offset, d.w.Every)
	page := floorDiv(at, pageWindows)
	if d.last == nil || d.lastAt != page {
		p := d.pages[page]
		if p == nil {
			p = new([pageWindows]int32)
			d.pages[page] = p
		}
		d.last, d.lastAt = p, page
	}
	return &d.last[at-page*pageWindows]
}

func floorDiv(x, y int64) int64 {
	q := x / y
	if x%y < 0 {
		q--
	}
	return q
}

// order gives the slots by time of their windows.
func (d *windows) order(ctx context.Context) ([]int32, error) {
	slots := make([]int32, len(d.starts))
	sorted := true
	for i := range slots {
		slots[i] = int32(i)
		sorted = sorted && (i == 0 || d.starts[i-1] < d.starts[i])
	}
	if sorted {
		return slots, nil
	}
	err := sorting.Values(ctx, slots, func(x, y int32) int { return compare(d.starts[x], d.starts[y]) })
	return slots, err
}
