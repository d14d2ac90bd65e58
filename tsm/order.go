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
	o := &order{rows: radixOrder(series)}
	for i, r := range o.rows {
		if i == 0 || series[r] != series[o.rows[i-1]] {
			o.series = append(o.series, series[r])
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
		if !slices.IsSortedFunc(run, compare) {
			slices.SortStableFunc(run, compare)
		}
	}
	return o
}

const radixBits = 11

// radixOrder gives the positions of keys in ascending order of key, equal keys
// in the order they have.
func radixOrder(keys []uint32) []uint32 {
	rows := make([]uint32, len(keys))
	for i := range rows {
		rows[i] = uint32(i)
	}
	if len(keys) == 0 {
		return rows
	}
	low, spread := slices.Min(keys), slices.Max(keys)-slices.Min(keys)
	other := make([]uint32, len(keys))
	for shift := 0; shift < 32 && spread>>shift > 0; shift += radixBits {
		var at [1 << radixBits]uint32
		for _, k := range keys {
			at[(k-low)>>shift&(1<<radixBits-1)]++
		}
		sum := uint32(0)
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, r := range rows {
			digit := (keys[r] - low) >> shift & (1<<radixBits - 1)
			other[at[digit]] = r
			at[digit]++
		}
		rows, other = other, rows
	}
	return rows
}
