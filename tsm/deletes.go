package tsm

import (
	"slices"
	"sync"

	"github.com/varvedb/varve/model"
)

// deletes is what is published of the deletes of a shard at a moment. It never
// changes, so every Reader of that moment shares it; the shard replaces it.
type deletes struct {
	all []*tombstone // in the order in which they were published

	once   sync.Once
	narrow map[uint32][]*tombstone // by series, deletes of a few series
	wide   []*tombstone            // the others

	whole sync.Map // wholeFile to bool: what fileDeleted found out
}

// maxNarrowSeries is the number of series up to which a delete is found by
// series: a shard may remember thousands of such deletes while an owner is away,
// and a scan asks for each series which of them concern it.
const maxNarrowSeries = 64

// of gives the deletes that concern a series, those of many series first.
func (d *deletes) of(series uint32) func(yield func(*tombstone) bool) {
	if len(d.all) == 0 {
		return func(func(*tombstone) bool) {}
	}
	d.once.Do(d.sort)
	return func(yield func(*tombstone) bool) {
		for _, t := range d.wide {
			if t.series.Contains(series) && !yield(t) {
				return
			}
		}
		for _, t := range d.narrow[series] {
			if !yield(t) {
				return
			}
		}
	}
}

func (d *deletes) sort() {
	d.narrow = map[uint32][]*tombstone{}
	for _, t := range d.all {
		if t.series.GetCardinality() > maxNarrowSeries {
			d.wide = append(d.wide, t)
			continue
		}
		for it := t.series.Iterator(); it.HasNext(); {
			id := it.Next()
			d.narrow[id] = append(d.narrow[id], t)
		}
	}
}

// with gives d and one more.
func (d *deletes) with(t *tombstone) *deletes {
	return &deletes{all: append(slices.Clip(d.all), t)}
}

// without gives d without those for which drop says so.
func (d *deletes) without(drop func(*tombstone) bool) *deletes {
	if !slices.ContainsFunc(d.all, drop) {
		return d
	}
	return &deletes{all: slices.DeleteFunc(slices.Clone(d.all), drop)}
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
