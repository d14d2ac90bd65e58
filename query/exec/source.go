package exec

import "github.com/varvedb/varve/model"

// Source is what the operators need of one shard: a view that does not change
// while it is open. The data package makes one of a shard's reader, and
// exectest one of rows in memory. A Source is used by one goroutine at a time.
type Source interface {
	// Measurements gives the names of the measurements, sorted.
	Measurements() []string
	// Fields gives the fields of a measurement, sorted by name and type.
	Fields(measurement string) []model.Field
	// TagKeys gives the tag keys of a measurement, sorted.
	TagKeys(measurement string) []string
	// TagValues gives the values of a tag key of a measurement, sorted.
	TagValues(measurement, key string) ([]string, error)
	// Series gives the ids of the series of a measurement for which where holds,
	// ascending.
	Series(measurement string, where *model.Predicate) ([]uint32, error)
	// Hashes gives the hashes of the canonical keys of series, which ascend. They
	// are the same in all shards.
	Hashes(series []uint32) ([]model.SeriesHash, error)
	// Tags and Key give the tags and the canonical key of a series. The caller
	// does not change them.
	Tags(series uint32) model.Tags
	Key(series uint32) []byte
	// Scan reads the rows of the options' series. The caller closes the cursor.
	Scan(o ScanOptions) Cursor
	Close() error
}

// ScanOptions says which rows a Cursor gives.
type ScanOptions struct {
	Series     []uint32 // in any order, each once
	Fields     []model.Field
	Range      model.TimeRange
	Descending bool
}

// Cursor walks granules: series by series in the order asked for, and within a
// series by time, backwards when the scan is descending. The granules of a
// series do not overlap. A row in which none of the fields has a value may or
// may not come.
type Cursor interface {
	// Next gives the next granule, valid until the call after; io.EOF at the end.
	Next() (Granule, error)
	Close() error
}

// Granule is a run of rows of one series, in ascending order of time.
type Granule interface {
	Series() uint32
	// Len gives the number of rows.
	Len() int
	// Range gives the times of the first and the last row.
	Range() model.TimeRange
	// Stats gives the statistics of a field of the scan, by its index, over the
	// rows of the granule within the scan's range. ok is false where they are
	// not known exactly without reading the rows.
	Stats(field int) (s model.Stats, ok bool)
	// Load gives the rows: times and one column for each field of the scan. It
	// may give rows outside of the scan's range. Both are valid until the
	// cursor's next Next and are not changed by the caller.
	Load() (times []int64, columns []model.Column, err error)
}
