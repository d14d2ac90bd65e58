package tsm

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/index"
)

// Reader is a consistent view of a shard: what was published when it was made.
// It is safe for concurrent use, but not after Close. It keeps files and
// memory alive, so it must not be kept longer than a query runs.
type Reader struct {
	s         *Shard
	index     *index.View
	below     uint32  // series with lower ids are published
	files     []*file // those in memory last
	mems      []memRef
	deletes   *deletes
	close     sync.Once
	closeErr  error
	slabs     sync.Mutex
	slabsByMx map[string][]*slabView
}

// memRef is the published rows of a memtable that is not packed.
type memRef struct {
	mem    *memtable
	tables []*memTable // there were; more may come
	rows   []int       // per table
}

// Reader gives a view of what is published now.
func (s *Shard) Reader() (*Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil, errClosed
	}
	return s.readerLocked(), nil
}

func (s *Shard) readerLocked() *Reader {
	r := &Reader{s: s, index: s.index.View(), below: s.mu.publishedSeries, slabsByMx: map[string][]*slabView{}}
	r.files = slices.Clone(s.mu.files)
	for _, f := range r.files {
		f.hold()
	}
	for _, m := range s.memtablesLocked() {
		if m.packed != nil {
			m.packed.hold()
			r.files = append(r.files, m.packed)
			continue
		}
		m.memory.hold()
		ref := memRef{mem: m, tables: slices.Clip(m.tables), rows: make([]int, len(m.tables))}
		for i, t := range ref.tables {
			ref.rows[i] = t.published
		}
		r.mems = append(r.mems, ref)
	}
	r.deletes = s.mu.deletes
	return r
}

// Close lets go of files and memory. It may be called twice. What Measurements,
// TagKeys, Fields, Tags, Tag and Key gave is to be relied on when it gives no error:
// where the index is damaged they give too little.
func (r *Reader) Close() error {
	r.close.Do(func() {
		var errs []error
		for _, f := range r.files {
			errs = append(errs, f.release())
		}
		for _, ref := range r.mems {
			errs = append(errs, ref.mem.memory.release())
		}
		errs = append(errs, r.index.Damage(), r.index.Close())
		r.closeErr = errors.Join(errs...)
	})
	return r.closeErr
}

// narrowLocked lets go of all but some files and memtables. The shard itself
// holds all that r has.
func (r *Reader) narrowLocked(files []*file, mems []*memtable) {
	keep := slices.Clone(files)
	for _, m := range mems {
		if m.packed != nil {
			keep = append(keep, m.packed)
		}
	}
	for _, f := range r.files {
		if !slices.Contains(keep, f) {
			f.refs.Add(-1)
		}
	}
	r.files = keep
	r.mems = slices.DeleteFunc(r.mems, func(ref memRef) bool {
		if slices.Contains(mems, ref.mem) {
			return false
		}
		ref.mem.memory.refs.Add(-1)
		return true
	})
}

// Measurements gives the measurements that have a series with data, sorted.
func (r *Reader) Measurements() []string {
	names, _ := r.index.Measurements(r.below) // Close gives the error
	return names
}

// TagKeys gives the tag keys of the series of a measurement that have data, sorted.
func (r *Reader) TagKeys(measurement string) []string {
	keys, _ := r.index.TagKeys(measurement, r.below) // Close gives the error
	return keys
}

// TagValues gives the values of a tag key of a measurement that a series with
// data has, sorted. It ends soon after ctx does.
func (r *Reader) TagValues(ctx context.Context, measurement, key string) ([]string, error) {
	return r.index.TagValues(ctx, measurement, key, r.below)
}

// Hashes gives the hashes of the canonical keys of series, which ascend.
func (r *Reader) Hashes(series []uint32) ([]model.SeriesHash, error) { return r.index.Hashes(series) }

// Tags gives the tags of a series.
func (r *Reader) Tags(series uint32) model.Tags { return r.index.Tags(series) }

// Tag gives one tag of a series, "" where it lacks it.
func (r *Reader) Tag(series uint32, key string) string { return r.index.Tag(series, key) }

// Key gives the canonical key of a series. It must not be changed.
func (r *Reader) Key(series uint32) []byte { return r.index.Key(series) }

// Series gives the series of a measurement for which where holds and that have
// data as far as known, ascending. It fails when a file of the shard cannot be
// opened: what fields and series that file has is not known.
func (r *Reader) Series(measurement string, where *model.Predicate) ([]uint32, error) {
	for _, f := range r.files {
		if f.r == nil {
			return nil, f.err()
		}
	}
	series, err := r.index.Select(measurement, where, r.below)
	if err != nil {
		return nil, err
	}
	return series.ToArray(), nil
}

// Fields gives the fields of a measurement, sorted by name and type. A field
// all of whose data was deleted may be among them until compaction.
func (r *Reader) Fields(measurement string) []model.Field {
	live, err := r.index.Select(measurement, nil, r.below)
	if err != nil || live.IsEmpty() {
		return nil // Close gives the error
	}
	set := map[model.Field]bool{}
	for _, f := range r.files {
		if f.r == nil || r.deletes.hideFile(f, measurement) {
			continue
		}
		for _, field := range f.r.Fields(measurement) {
			set[field] = true
		}
	}
	for _, v := range r.slabViews(measurement) {
		r.addSlabFields(set, v)
	}
	return sortedFields(set)
}

// sortedFields gives fields by name and type.
func sortedFields(set map[model.Field]bool) []model.Field {
	return slices.SortedFunc(maps.Keys(set), func(a, b model.Field) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
}

// addSlabFields adds the fields of which v has a value that no delete hides.
func (r *Reader) addSlabFields(set map[model.Field]bool, v *slabView) {
	hidden := func(row int) bool {
		return r.deletes.hides(v.series[row], v.times[row], v.table[v.versions[row]])
	}
	for i := range v.columns {
		c := &v.columns[i]
		// The last rows are the least likely to be hidden.
		row := c.Len() - 1
		for row >= 0 && (!c.Has(row) || hidden(row)) {
			row--
		}
		if row >= 0 {
			set[c.Field] = true
		}
	}
}

func containsAll(set *roaring.Bitmap, ids []uint32) bool {
	for _, id := range ids {
		if !set.Contains(id) {
			return false
		}
	}
	return true
}

// slabViews gives the rows in memory of a measurement.
func (r *Reader) slabViews(measurement string) []*slabView {
	r.slabs.Lock()
	defer r.slabs.Unlock()
	if v, ok := r.slabsByMx[measurement]; ok {
		return v
	}
	var views []*slabView
	// Slabs only grow, so what was published when r was made can be looked at
	// later, under the lock that their writer holds.
	r.s.mu.Lock()
	for _, ref := range r.mems {
		t := ref.mem.byName[measurement]
		if t != nil && t.at < len(ref.rows) {
			views = append(views, t.views(ref.rows[t.at])...)
		}
	}
	r.s.mu.Unlock()
	r.slabsByMx[measurement] = views
	return views
}

// deletesOf gives the deletes that may hide something of a series.
func (r *Reader) deletesOf(dst []*tombstone, series uint32, times model.TimeRange) []*tombstone {
	for t := range r.deletes.of(series) {
		if t.times.Overlaps(times) {
			dst = append(dst, t)
		}
	}
	return dst
}
