package segment

import (
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
	content *content
	foot    *footer
	names   []string

	opened time.Time
	state  []atomic.Uint32 // of each part, in the order of the file
}

// tailBytes is how much of a file's end is read at once: more than most footers.
const tailBytes = 64 << 10

// Open reads the footer of a file; all else is read when it is asked for, each
// part's checksum being verified at its first use. The file is mapped where
// addresses are plenty, else it stays open until Close. The Reader owns f, also
// when Open fails.
func Open(f vfs.File) (*Reader, error) { return open(f, mapsFiles) }

func open(f vfs.File, mapped bool) (*Reader, error) {
	c, err := openContent(f, mapped)
	if err != nil {
		return nil, err
	}
	r := &Reader{content: c}
	if err := r.readFooter(); err != nil {
		_ = c.close() // nothing was written
		return nil, err
	}
	return r, nil
}

// OpenBytes opens a file that is in memory.
func OpenBytes(data []byte) (*Reader, error) {
	r := &Reader{content: &content{size: int64(len(data)), data: data}}
	if err := r.readFooter(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Reader) readFooter() (err error) {
	defer r.guard(debug.SetPanicOnFault(true), &err)
	r.opened = time.Now()
	c := r.content
	tail := max(0, c.size-tailBytes)
	c.fetch(0, int(min(int64(len(headMagic)), c.size)))
	c.fetch(tail, int(c.size-tail))
	foot, err := readFooter(c)
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

// Close gives the file back. No Cursor and nothing that one returned may be used
// afterwards.
func (r *Reader) Close() error {
	return r.content.close()
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
