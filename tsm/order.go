package tsm

import (
	"cmp"
	"slices"

	"github.com/varvedb/varve/model"
)

// order is the rows of a slab by series, within a series by time, within a time
// by version, within a version as they arrived.
type order struct {
	rows   []uint32 // row numbers
	series []uint32 // the distinct series, ascending
	starts []uint32 // where each begins in rows, and the end
}

// of gives the rows of a series.
func (o *order) of(series uint32) []uint32 {
	i, ok := slices.BinarySearch(o.series, series)
	if !ok {
		return nil
	}
	return o.rows[o.starts[i]:o.starts[i+1]]
}

// newOrder sorts by series, by radix, since all rows need it; then only those
// series whose rows did not arrive in order, which is seldom.
func newOrder(series []uint32, times []int64, versions []uint32, table []model.Version) *order {
	sorted, _ := sortKeyed(appendKeyed(nil, series), nil)
	o := &order{rows: make([]uint32, len(sorted))}
	for i, k := range sorted {
		o.rows[i] = k.row()
		if i == 0 || k.key() != sorted[i-1].key() {
			o.series = append(o.series, k.key())
			o.starts = append(o.starts, uint32(i))
		}
	}
	o.starts = append(o.starts, uint32(len(o.rows)))
	compare := func(a, b uint32) int {
		if c := cmp.Compare(times[a], times[b]); c != 0 || versions[a] == versions[b] {
			return c
		}
		return table[versions[a]].Compare(table[versions[b]])
	}
	for i := range o.series {
		run := o.rows[o.starts[i]:o.starts[i+1]]
		if !rising(run, times) && !slices.IsSortedFunc(run, compare) {
			slices.SortStableFunc(run, compare)
		}
	}
	return o
}

// rising reports whether each of rows is of a later time than the one before.
func rising(rows []uint32, times []int64) bool {
	for i := 1; i < len(rows); i++ {
		if times[rows[i]] <= times[rows[i-1]] {
			return false
		}
	}
	return true
}

// keyed is a row and what it is sorted by, in one word: so sorting needs to look
// nothing up.
type keyed uint64

func (k keyed) key() uint32 { return uint32(k >> 32) }
func (k keyed) row() uint32 { return uint32(k) }

// appendKeyed adds rows with these keys, numbered on from those before.
func appendKeyed(rows []keyed, keys []uint32) []keyed {
	for _, k := range keys {
		rows = append(rows, keyed(k)<<32|keyed(len(rows)))
	}
	return rows
}

const radixBits = 11

// sortKeyed gives rows in ascending order of key, equal keys in the order they
// have, and other memory of as many rows, which may be spare's.
func sortKeyed(rows, spare []keyed) (sorted, other []keyed) {
	spare = resize(spare, len(rows))
	if len(rows) == 0 {
		return rows, spare
	}
	low, high := rows[0].key(), rows[0].key()
	for _, r := range rows {
		low, high = min(low, r.key()), max(high, r.key())
	}
	for shift := 0; shift < 32 && (high-low)>>shift > 0; shift += radixBits {
		var at [1 << radixBits]uint32
		for _, r := range rows {
			at[(r.key()-low)>>shift&(1<<radixBits-1)]++
		}
		sum := uint32(0)
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, r := range rows {
			digit := (r.key() - low) >> shift & (1<<radixBits - 1)
			spare[at[digit]] = r
			at[digit]++
		}
		rows, spare = spare, rows
	}
	return rows, spare
}
