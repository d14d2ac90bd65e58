package tsm

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/segment"
)

// Series of which deletes have left no row are buried: taken out of the
// listings. Whether a row is left of a series must be looked for, which takes
// time where a delete covers many series but not all that the files have of
// them: then the delete is acknowledged before, and for a moment listings show
// too much. Data that is deleted is never shown.

// maxSeriesAtOnce is the number of series whose rows are looked for in files
// before a delete is acknowledged.
const maxSeriesAtOnce = 10_000

// burialCheck collects the series that were written while a search for data of
// deleted series ran: they are alive, whatever the search says.
type burialCheck struct {
	written *roaring.Bitmap
}

// bury looks what a delete that was just published has left of its series.
func (s *Shard) bury(number uint64) {
	if s.search(maxSeriesAtOnce, func(t *tombstone) bool { return t.number == number }) {
		return
	}
	s.buryLater()
}

// buryLater looks what the deletes have left for which nobody has yet, in the
// background if the shard has a Worker.
func (s *Shard) buryLater() {
	if s.cfg.Worker == nil {
		s.searchAll()
		return
	}
	s.mu.Lock() // Close waits for what was begun before it held the lock
	defer s.mu.Unlock()
	if s.closing.Load() || s.searching.Swap(true) {
		return
	}
	s.background.Go(func() {
		// A delete that came just after the last search found the flag still set.
		for again := true; again && !s.closing.Load(); {
			s.searchAll()
			s.searching.Store(false)
			again = s.unsearched() && !s.searching.Swap(true)
		}
	})
}

func (s *Shard) searchAll() {
	s.search(math.MaxUint64, func(*tombstone) bool { return true })
}

// unsearched reports whether there are deletes that nobody has looked after.
func (s *Shard) unsearched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.mu.deletes.all, func(t *tombstone) bool { return !t.searched })
}

// search buries the series of some deletes that have no row left. It is false,
// and may have buried some, when files would have to be searched for more
// series than atMost.
func (s *Shard) search(atMost uint64, which func(*tombstone) bool) bool {
	check := &burialCheck{written: roaring.New()}
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return true // the next start looks again
	}
	candidates := roaring.New()
	var numbers []uint64
	for _, t := range s.mu.deletes.all {
		if !t.searched && which(t) {
			candidates.Or(t.series)
			numbers = append(numbers, t.number)
		}
	}
	candidates.AndNot(s.index.Buried())
	r := s.readerLocked()
	s.mu.checks = append(s.mu.checks, check)
	s.mu.Unlock()

	candidates.RemoveRange(uint64(r.below), math.MaxUint32+1)
	empty, err := r.withoutRows(candidates, atMost)
	if cerr := r.Close(); err == nil {
		err = cerr
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.checks = slices.DeleteFunc(s.mu.checks, func(c *burialCheck) bool { return c == check })
	switch {
	case errors.Is(err, errTooMany):
		return false
	case errors.Is(err, model.ErrClosed):
		return true // the next start looks again
	case err != nil:
		// The deletes are in force all the same; only listings may show too much.
		s.log.Warn("cannot tell which series are empty", "dir", s.dir, "err", err)
	default:
		empty.AndNot(check.written)
		s.index.Bury(empty)
	}
	for _, t := range s.mu.deletes.all {
		t.searched = t.searched || slices.Contains(numbers, t.number)
	}
	return true
}

// errTooMany says that a search would take too long.
var errTooMany = errors.New("too many series")

// withoutRows gives those of the series of which r has no row that counts.
func (r *Reader) withoutRows(series *roaring.Bitmap, atMost uint64) (*roaring.Bitmap, error) {
	w := &search{r: r, left: series.Clone()}
	w.memory()
	files := slices.DeleteFunc(slices.Clone(r.files), func(f *file) bool { return w.covered(f, series) })
	switch n := w.left.GetCardinality(); {
	case n == 0 || len(files) == 0:
		return w.left, nil
	case n > atMost:
		return nil, errTooMany
	case n > maxSeriesAtOnce:
		// Cheaper than to seek each series, and it decides for nearly all.
		for _, f := range files {
			if err := w.file(f); err != nil {
				return nil, err
			}
		}
		if w.unclear == nil {
			return w.left, nil
		}
		if err := w.scan(w.unclear); err != nil {
			return nil, err
		}
		return w.left, nil
	}
	if err := w.scan(w.left); err != nil {
		return nil, err
	}
	return w.left, nil
}

// search looks for rows of series.
type search struct {
	r       *Reader
	left    *roaring.Bitmap // no row was found of these yet
	unclear *roaring.Bitmap // of these rows must be decoded; nil: there are none
}

// memory takes out the series that have rows in memtables.
func (w *search) memory() {
	if w.left.IsEmpty() {
		return
	}
	wanted := model.NewBitmap(int(w.left.Maximum()) + 1)
	for it := w.left.Iterator(); it.HasNext(); {
		wanted.Set(int(it.Next()))
	}
	for _, ref := range w.r.mems {
		for _, t := range ref.tables {
			for _, v := range w.r.slabViews(t.name) {
				for row, id := range v.series {
					if int(id) < len(wanted)*64 && wanted.Get(int(id)) &&
						!w.r.deletes.hides(id, v.times[row], v.table[v.versions[row]]) {
						wanted.Clear(int(id))
						if w.left.Remove(id); w.left.IsEmpty() {
							return
						}
					}
				}
			}
		}
	}
}

// covered reports whether one delete hides all rows that f can have of the series.
func (w *search) covered(f *file, series *roaring.Bitmap) bool {
	return slices.ContainsFunc(w.r.deletes.all, func(t *tombstone) bool {
		return t.times.Covers(f.meta.times) && t.coversFile(&f.meta) == coversAll &&
			t.series.AndCardinality(series) == series.GetCardinality()
	})
}

// file takes out the series that have a row in f, by the ends of granules, and
// notes those for which that does not decide.
func (w *search) file(f *file) error {
	if err := f.err(); err != nil {
		return err
	}
	var c segment.Cursor
	for _, name := range f.r.Measurements() {
		c.Reset(f.r, name, nil)
		for {
			if w.r.s.closing.Load() {
				return errClosed
			}
			ok, err := c.Next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if id := c.Series(); w.left.Contains(id) {
				switch w.granules(f, id, c.Granules()) {
				case coversNone:
					w.left.Remove(id)
				case coversSome:
					if w.unclear == nil {
						w.unclear = roaring.New()
					}
					w.unclear.Add(id)
				}
			}
		}
	}
	return nil
}

// granules decides what deletes do to a series of f: leave a row for certain,
// leave none for certain, or neither.
func (w *search) granules(f *file, series uint32, granules []segment.Granule) cover {
	result := coversAll
	for _, g := range granules {
		all, first, last := false, false, false // are hidden, or may be
		for t := range w.r.deletes.of(series) {
			how := t.coversFile(&f.meta)
			if how == coversNone {
				continue
			}
			all = all || how == coversAll && t.times.Covers(g.Range)
			first = first || t.times.Contains(g.Range.Min)
			last = last || t.times.Contains(g.Range.Max)
		}
		switch {
		case !first || !last:
			return coversNone
		case !all:
			result = coversSome
		}
	}
	return result
}

// scan takes out those of the series, which may be w.left itself, that have a
// row in a file.
func (w *search) scan(series *roaring.Bitmap) error {
	series = roaring.And(series, w.left)
	ids := series.ToArray()
	w.r.sortByMeasurement(ids)
	c := w.r.Scan(ScanOptions{Series: ids, Range: everything})
	c.filesOnly = true
	empty := roaring.New()
	for c.nextSeriesWithData(func(id uint32) { empty.Add(id) }) {
		if w.r.s.closing.Load() {
			return errClosed
		}
	}
	if c.err != io.EOF {
		return c.err
	}
	w.left.AndNot(series)
	w.left.Or(empty)
	return nil
}

// sortByMeasurement keeps ascending ids of one measurement together: a cursor
// starts anew for each change.
func (r *Reader) sortByMeasurement(ids []uint32) {
	names := map[string]int{}
	order := make([]int, len(ids)) // in order of ids: keys are read in order
	for i, id := range ids {
		name := r.index.Measurement(id)
		n, ok := names[name]
		if !ok {
			n = len(names)
			names[strings.Clone(name)] = n
		}
		order[i] = n
	}
	if len(names) < 2 {
		return
	}
	byName := make([][]uint32, len(names))
	for i, id := range ids {
		byName[order[i]] = append(byName[order[i]], id)
	}
	copy(ids, slices.Concat(byName...))
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
