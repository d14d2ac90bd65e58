package exec

import (
	"context"

	"github.com/varvedb/varve/model"
)

// Source is what the operators need of one shard: a view that does not change
// while it is open. The data package makes one of a shard's reader, and
// exectest one of rows in memory. A Source is safe for concurrent use.
type Source interface {
	// Measurements gives the names of the measurements, sorted.
	Measurements() []string
	// Fields gives the fields of a measurement, sorted by name and type.
	Fields(measurement string) []model.Field
	// TagKeys gives the tag keys of a measurement, sorted.
	TagKeys(measurement string) []string
	// TagValues gives the values of a tag key of a measurement, sorted. It
	// ends soon after ctx does.
	TagValues(ctx context.Context, measurement, key string) ([]string, error)
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
	// Tag gives one of the tags, "" where the series lacks it.
	Tag(series uint32, key string) string
	// Scan reads rows. The caller closes the cursor.
	Scan(o ScanOptions) Cursor
	Close() error
}

// ScanOptions says which rows a Cursor can give.
type ScanOptions struct {
	Fields     []model.Field
	Range      model.TimeRange
	Descending bool
}

// Cursor walks the granules of one series after the other. A row in which none
// of the fields has a value may or may not come. It is used by one goroutine at
// a time.
type Cursor interface {
	// Seek goes to a series, of which Next gives the granules with rows within
	// times, a part of the options' range. It may be called at any time, also for
	// the same series again. An error comes from Next.
	Seek(series uint32, times model.TimeRange)
	// Next gives the next granule of the series by time, backwards when the scan
	// is descending, valid until the call after; io.EOF at the end. The granules
	// of a series do not overlap. The first and the last one may have rows outside
	// of the times that were sought.
	Next() (Granule, error)
	Close() error
}

// Granule is a run of rows of one series, in ascending order of time.
type Granule interface {
	// Len gives the number of rows.
	Len() int
	// Range gives the times of the first and the last row.
	Range() model.TimeRange
	// Stats gives the statistics of a field of the scan, by its index, over all
	// rows. ok is false where they are not known exactly without reading the rows.
	Stats(field int) (s model.Stats, ok bool)
	// Times gives the times of the rows, and Column the values of a field of the
	// scan. Both are valid until the cursor's next Next or Seek and are not changed
	// by the caller.
	Times() ([]int64, error)
	Column(field int) (*model.Column, error)
}
