package tsm

import (
	"io"
	"math"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
)

// everything is all rows of a source, whatever their time.
var everything = model.TimeRange{Min: math.MinInt64, Max: math.MaxInt64}

// burialCheck collects the series that were written while a search for data of
// deleted series ran: they are alive, whatever the search says.
type burialCheck struct {
	written *roaring.Bitmap
}

// coverNewLocked lets deletes cover series that came after them: a row of such
// a series may have been stamped before the delete.
func (s *Shard) coverNewLocked(added []uint32) {
	if len(added) == 0 {
		return
	}
	deletes := slices.Clone(s.mu.deletes)
	for _, p := range s.mu.pending {
		if p.delete != nil {
			deletes = append(deletes, p.delete)
		}
	}
	for _, t := range deletes {
		var covered []uint32
		for _, id := range added {
			if t.where.Holds(s.index.Measurement(id), s.index.Tags(id)) {
				covered = append(covered, id)
			}
		}
		if len(covered) > 0 {
			series := t.series.Clone() // readers may hold the old one
			series.AddMany(covered)
			t.series = series
		}
	}
}

// buryEmpty takes those of the series out of the listings of which published
// deletes have left nothing.
func (s *Shard) buryEmpty(series *roaring.Bitmap) error {
	check := &burialCheck{written: roaring.New()}
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return nil // the delete is durable; the next start looks again
	}
	candidates := roaring.AndNot(series, s.index.Buried())
	r := s.readerLocked()
	s.mu.checks = append(s.mu.checks, check)
	s.mu.Unlock()

	empty, err := r.withoutData(candidates)
	if cerr := r.Close(); err == nil {
		err = cerr
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.checks = slices.DeleteFunc(s.mu.checks, func(c *burialCheck) bool { return c == check })
	if err != nil {
		// The delete is in force all the same; only listings may show too much.
		s.log.Warn("cannot tell which series are empty", "dir", s.dir, "err", err)
		return nil
	}
	empty.AndNot(check.written)
	s.index.Bury(empty)
	return nil
}

// withoutData gives those of the series of which r has no row.
func (r *Reader) withoutData(series *roaring.Bitmap) (*roaring.Bitmap, error) {
	empty := roaring.New()
	ids := series.ToArray()
	// A cursor starts anew for each change of measurement.
	slices.SortStableFunc(ids, func(a, b uint32) int {
		return strings.Compare(r.index.Measurement(a), r.index.Measurement(b))
	})
	c := r.Scan(ScanOptions{Series: ids, Range: everything})
	for c.nextSeriesWithData(func(id uint32) { empty.Add(id) }) {
		continue
	}
	if c.err != io.EOF {
		return nil, c.err
	}
	return empty, nil
}

// nextSeriesWithData goes on to the first row of the next series, and tells
// the series on the way that have none. It is false at the end.
func (c *Cursor) nextSeriesWithData(empty func(id uint32)) bool {
	for c.err == nil {
		c.blocks, c.active = c.blocks[:0], c.active[:0]
		c.nextSeries()
		if c.err != nil {
			return false
		}
		id := c.series
		for c.err == nil && len(c.blocks)+len(c.active) > 0 {
			switch {
			case len(c.active) == 0 && c.takeWhole(), len(c.active) > 0 && c.merge():
				return true
			case len(c.blocks) > 0:
				c.begin()
			}
		}
		if c.err == nil {
			empty(id)
		}
	}
	return false
}
