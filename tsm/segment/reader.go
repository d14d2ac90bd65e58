package segment

import (
	"fmt"
	"runtime/debug"
	"sort"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// Reader is an open file. It is safe for concurrent use; each goroutine has
// Cursors of its own.
type Reader struct {
	data    []byte
	mapping *vfs.Mapping // nil for a file given as bytes
	foot    *footer
	names   []string

	opened time.Time
	state  []atomic.Uint32 // of each part, in the order of the file
}

// tailBytes is how much of a file's end is read at once: more than most footers.
const tailBytes = 64 << 10

// Open maps a file and reads its footer; all else is read when it is asked
// for, each part's checksum being verified at its first use. The Reader owns f,
// also when Open fails.
func Open(f vfs.File) (*Reader, error) {
	mapping, err := vfs.Map(f)
	if closeErr := f.Close(); err == nil && closeErr != nil {
		_ = mapping.Close() // nothing was written
		return nil, fmt.Errorf("open segment file: %w", closeErr)
	}
	if err != nil {
		return nil, fmt.Errorf("map segment file: %w", err)
	}
	r := &Reader{data: mapping.Bytes(), mapping: mapping}
	if err := r.readFooter(); err != nil {
		_ = mapping.Close() // nothing was written
		return nil, err
	}
	return r, nil
}

// OpenBytes opens a file that is in memory.
func OpenBytes(data []byte) (*Reader, error) {
	r := &Reader{data: data}
	if err := r.readFooter(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Reader) readFooter() (err error) {
	defer r.guard(debug.SetPanicOnFault(true), &err)
	r.opened = time.Now()
	tail := max(0, len(r.data)-tailBytes)
	r.fetch(0, min(len(headMagic), len(r.data)))
	r.fetch(int64(tail), len(r.data)-tail)
	foot, err := parseFooter(r.data)
	if err != nil {
		return err
	}
	r.foot = foot
	r.names = make([]string, len(foot.measurements))
	parts := 0
	for i := range foot.measurements {
		m := &foot.measurements[i]
		r.names[i] = m.name
		for k := range m.segments {
			m.segments[k].firstPart = parts
			parts += len(m.segments[k].parts)
		}
	}
	r.state = make([]atomic.Uint32, parts)
	return nil
}

// Close unmaps the file. No Cursor and nothing that one returned may be used
// afterwards.
func (r *Reader) Close() error {
	r.data = nil
	if r.mapping == nil {
		return nil
	}
	return r.mapping.Close()
}

// Meta gives what is known of the whole file.
func (r *Reader) Meta() Meta { return r.foot.meta }

// Versions gives the table that the numbers of Cursor.Versions index, in no
// particular order; nil when the file is not Versioned. It must not be changed.
func (r *Reader) Versions() []model.Version { return r.foot.versions }

// Measurements gives the names of the measurements, sorted. It must not be changed.
func (r *Reader) Measurements() []string { return r.names }

// Fields gives the fields of a measurement by name and type; nil when the file
// has none of it. It must not be changed.
func (r *Reader) Fields(measurement string) []model.Field {
	if i, ok := r.find(measurement); ok {
		return r.foot.measurements[i].fields
	}
	return nil
}

// Range gives the times of a measurement; empty when the file has none of it.
func (r *Reader) Range(measurement string) model.TimeRange {
	if i, ok := r.find(measurement); ok {
		return r.foot.measurements[i].times
	}
	return noTimes
}

// AppendSeries adds the series of a measurement, ascending.
func (r *Reader) AppendSeries(dst []uint32, measurement string) (_ []uint32, err error) {
	defer r.guard(debug.SetPanicOnFault(true), &err)
	i, ok := r.find(measurement)
	if !ok {
		return dst, nil
	}
	var v view
	start := len(dst)
	for k := range r.foot.measurements[i].segments {
		if err := v.load(r, i, k); err != nil {
			return dst, err
		}
		for j := range v.segment.series {
			s := uint32(v.series.Get(j))
			if len(dst) > start && s <= dst[len(dst)-1] {
				if j == 0 && s == dst[len(dst)-1] {
					continue // goes on from the segment before
				}
				return dst, v.corrupt("order of series")
			}
			dst = append(dst, s)
		}
	}
	return dst, nil
}

// Has reports whether the file has rows of a series.
func (r *Reader) Has(measurement string, series uint32) (_ bool, err error) {
	defer r.guard(debug.SetPanicOnFault(true), &err)
	i, ok := r.find(measurement)
	if !ok {
		return false, nil
	}
	k, ok := r.foot.measurements[i].segment(series)
	if !ok {
		return false, nil
	}
	var v view
	if err := v.load(r, i, k); err != nil {
		return false, err
	}
	_, ok = v.find(series)
	return ok, nil
}

// find gives the place of a measurement.
func (r *Reader) find(measurement string) (int, bool) {
	i := sort.SearchStrings(r.names, measurement)
	return i, i < len(r.names) && r.names[i] == measurement
}

// segment gives the first segment that ends with series or after it; ok says
// that its range has the series.
func (m *measurement) segment(series uint32) (k int, ok bool) {
	k = sort.Search(len(m.segments), func(i int) bool { return m.segments[i].last >= series })
	return k, k < len(m.segments) && m.segments[k].first <= series
}
