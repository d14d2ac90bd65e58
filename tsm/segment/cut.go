package segment

import "sort"

const (
	// wantedRows is how many rows a granule should have at least: below that
	// what is kept per granule weighs more than what it saves.
	wantedRows = 256
	// looseRows is the size of granules where windows do not suit.
	looseRows = 512
	// scantRows is how few rows of a window are put together with the next.
	scantRows = 64
	// tinyRows is how few rows a series may have to share granules with others.
	tinyRows = 128
	// granuleText bounds the bytes of strings in a granule of several rows.
	granuleText = 1 << 20
)

// windows is the ladder of lengths of time, in nanoseconds, at whose multiples
// granules are cut: those that people group by.
var windows = [...]int64{10 * second, minute, 5 * minute, 10 * minute, hour, 6 * hour, 24 * hour, 7 * 24 * hour}

const (
	second = int64(1e9)
	minute = 60 * second
	hour   = 60 * minute
)

// window gives the shortest window in which times, as dense as they are, have
// enough rows; 0 when there is none.
func window(times []int64) int64 {
	n := len(times)
	span := uint64(times[n-1]) - uint64(times[0])
	for _, w := range windows {
		if float64(n)*float64(w) >= wantedRows*float64(span) {
			return w
		}
	}
	return 0
}

// windowEnd gives the index after the last of times that lies in the window of
// the one at from.
func windowEnd(times []int64, from int, w int64) int {
	t := times[from]
	in := t % w
	if in < 0 {
		in += w
	}
	rest := w - in // at least 1
	return from + sort.Search(len(times)-from, func(i int) bool {
		return uint64(times[from+i])-uint64(t) >= uint64(rest)
	})
}

// cut finds the next granule: the rows from from to to-1. ok is false when more
// rows of the series, which may come unless last is set, could belong to it.
func (b *buffer) cut(from int, w int64, last bool) (to int, ok bool) {
	n := b.rows()
	if w == 0 {
		to = b.together(from, min(from+looseRows, n))
	} else {
		to = windowEnd(b.times, from, w)
		for to < n && to-from < scantRows {
			next := windowEnd(b.times, to, w)
			if next-from > looseRows {
				break
			}
			to = next
		}
	}
	if to == n && !last && to-from <= 2*MaxGranuleRows && b.text(from, to) <= 2*granuleText {
		return 0, false
	}
	if rows := to - from; rows > MaxGranuleRows {
		pieces := (rows + MaxGranuleRows - 1) / MaxGranuleRows
		to = b.together(from, from+(rows+pieces-1)/pieces)
	}
	if b.text(from, to) > granuleText {
		to = b.together(from, from+max(1, sort.Search(to-from, func(i int) bool {
			return b.text(from, from+i+1) > granuleText
		})))
	}
	return to, true
}

// together moves the end of a granule down so that rows of one time stay
// together; where that leaves none it stays.
func (b *buffer) together(from, to int) int {
	for i := to; i > from; i-- {
		if i == b.rows() || b.times[i] != b.times[i-1] {
			return i
		}
	}
	return to
}
