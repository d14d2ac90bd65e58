package tsm

import (
	"slices"
	"sync"

	"github.com/varvedb/varve/model"
)

// deletes is what is published of the deletes of a shard at a moment. It never
// changes, so every Reader of that moment shares it; the shard replaces it.
type deletes struct {
	all    []*tombstone // in the order in which they were published
	sorted bySeries     // the first of all

	whole sync.Map // wholeFile to bool: what fileDeleted found out
}

// bySeries finds deletes by the series that they concern.
type bySeries struct {
	n      int                     // of how many
	narrow map[uint32][]*tombstone // deletes of a few series
	wide   []*tombstone            // the others
}

const (
	// maxNarrowSeries is the number of series up to which a delete is found by
	// series: a shard may remember thousands of such deletes while an owner is away,
	// and a scan asks for each series which of them concern it.
	maxNarrowSeries = 64
	// maxUnsorted is how many deletes may be looked at one by one, so that not
	// each one more has all sorted again.
	maxUnsorted = 64
)

func newDeletes(all []*tombstone) *deletes {
	return &deletes{all: all, sorted: sortBySeries(all)}
}

func sortBySeries(all []*tombstone) bySeries {
	by := bySeries{n: len(all), narrow: map[uint32][]*tombstone{}}
	for _, t := range all {
		if t.series.GetCardinality() > maxNarrowSeries {
			by.wide = append(by.wide, t)
			continue
		}
		for it := t.series.Iterator(); it.HasNext(); {
			id := it.Next()
			by.narrow[id] = append(by.narrow[id], t)
		}
	}
	return by
}

// of gives the deletes that concern a series, in no particular order.
func (d *deletes) of(series uint32) func(yield func(*tombstone) bool) {
	if len(d.all) == 0 {
		return func(func(*tombstone) bool) {}
	}
	return func(yield func(*tombstone) bool) {
		for _, t := range d.sorted.wide {
			if t.series.Contains(series) && !yield(t) {
				return
			}
		}
		for _, t := range d.sorted.narrow[series] {
			if !yield(t) {
				return
			}
		}
		for _, t := range d.all[d.sorted.n:] {
			if t.series.Contains(series) && !yield(t) {
				return
			}
		}
	}
}

// with gives d and one more.
func (d *deletes) with(t *tombstone) *deletes {
	more := &deletes{all: append(slices.Clip(d.all), t), sorted: d.sorted}
	if len(more.all)-more.sorted.n > maxUnsorted {
		more.sorted = sortBySeries(more.all)
	}
	return more
}

// without gives d without those for which drop says so.
func (d *deletes) without(drop func(*tombstone) bool) *deletes {
	if !slices.ContainsFunc(d.all, drop) {
		return d
	}
	return newDeletes(slices.DeleteFunc(slices.Clone(d.all), drop))
}

// hides reports whether a row of a source that knows its version is deleted.
func (d *deletes) hides(series uint32, time int64, v model.Version) bool {
	for t := range d.of(series) {
		if t.times.Contains(time) && v.Less(t.version) {
			return true
		}
	}
	return false
}

// wholeFile names what one file has of a measurement.
type wholeFile struct {
	file        uint64
	measurement string
}

// hideFile reports whether one delete hides all that f has of a measurement.
func (d *deletes) hideFile(f *file, measurement string) bool {
	if len(d.all) == 0 {
		return false
	}
	key := wholeFile{f.meta.id, measurement}
	if known, ok := d.whole.Load(key); ok {
		return known.(bool)
	}
	hidden := slices.ContainsFunc(d.all, func(t *tombstone) bool {
		if t.coversFile(&f.meta) != coversAll || !t.times.Covers(f.r.Range(measurement)) {
			return false
		}
		ids, err := f.r.AppendSeries(nil, measurement)
		return err == nil && containsAll(t.series, ids)
	})
	d.whole.Store(key, hidden)
	return hidden
}
