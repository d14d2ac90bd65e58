package tsm

import (
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
)

// tombstone is a delete: it hides the cells of series for which where holds, in
// a time range, that have a lower version.
type tombstone struct {
	number  uint64 // counts the deletes of this shard in order of arrival
	batch   model.BatchID
	version model.Version
	where   *model.Predicate
	times   model.TimeRange
	series  *roaring.Bitmap // for which where holds; not changed once published

	// The shard's lock protects these.
	kept     bool // in the manifest
	searched bool // series that it left without rows are buried
}

// cover is what a tombstone does to one source of rows: a file or a memtable.
type cover uint8

const (
	coversNone cover = iota
	coversSome       // by the version of each row
	coversAll
)

// covers decides by the versions of a source as a whole.
func (t *tombstone) covers(times model.TimeRange, low, high model.Version) cover {
	switch {
	case !t.times.Overlaps(times) || !low.Less(t.version):
		return coversNone
	case high.Less(t.version):
		return coversAll
	}
	return coversSome
}

// coversFile decides for a file: one that was written with the delete applied
// holds nothing that it covers, and so does one without versions whose versions
// lie around the delete's, for such a file is only written with all deletes
// between applied.
func (t *tombstone) coversFile(f *fileMeta) cover {
	if t.number < f.applied {
		return coversNone
	}
	c := t.covers(f.times, f.low, f.high)
	if c == coversSome && !f.versioned {
		return coversNone
	}
	return c
}
