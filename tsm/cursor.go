package tsm

import (
	"cmp"
	"io"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/segment"
)

// ScanOptions says what a Cursor gives.
type ScanOptions struct {
	Series []uint32 // scanned in this order
	Fields []model.Field
	Range  model.TimeRange
	// Descending gives the granules of a series in falling order of time; the
	// rows inside a granule always ascend.
	Descending bool
	// Whole lets granules of files come with all of their rows, also those outside
	// of Range: then nothing has to be decoded to leave them out.
	Whole bool
}

// Scan gives a cursor over rows of r. It must not be used after r is closed.
func (r *Reader) Scan(o ScanOptions) *Cursor { return &Cursor{r: r, o: o, span: o.Range} }

// Cursor gives the rows of series, series by series in the order asked for.
// The granules of a series do not overlap. It is for one goroutine.
//
// A series' rows are in blocks: granules of files, and pieces of memtables. A
// block that overlaps no other is given as it is; of blocks that overlap, rows
// are merged by time, and rows of one time cell by cell by version.
type Cursor struct {
	r    *Reader
	o    ScanOptions     // the range is that of the series
	span model.TimeRange // the options' range
	err  error

	all     bool // rows of one time stay apart, and out.merged is filled: for rewriting
	settled *settlement
	copying bool // whole granules are to be copied, not decoded
	recheck bool // what was found good before is verified again

	filesOnly bool // rows in memory are left out

	next        int // index into o.Series
	sought      [1]uint32
	series      uint32
	begun       bool            // measurement is set
	measurement string          // that files and slabs are of
	sameFor     int             // series that were of it, one after the other
	members     *roaring.Bitmap // of measurement; nil while sameFor is small
	files       []*fileCursor
	slabs       []*slabView
	deletes     []*tombstone // those that may hide something of the series

	blocks  []block // not begun yet, in order of scanning; the end of blocksMemory
	before  block   // of the same series, that was begun last; no rows: none was
	active  []*run  // begun
	spare   []*run
	out     run
	granule Granule

	blocksMemory []block
	columns      []model.Column // of granule, when it is a file's
	count        counts
}

// counts is what became of the rows that were decoded.
type counts struct {
	in, hidden, merged, out int64
}

// fileCursor reads one file.
type fileCursor struct {
	segment.Cursor
	file *file
}

// block is rows of one series in one source, not decoded yet.
type block struct {
	times   model.TimeRange
	file    *fileCursor
	granule int
	count   int // rows
	repeats bool
	slab    *slabView
	rows    []uint32 // of slab
	rank    int      // counts the blocks of a series from the oldest source to the newest
}

// maxBlockRows bounds a block of a slab, as granules of files are bounded.
const maxBlockRows = segment.MaxGranuleRows

// Close ends c. It may be called twice.
func (c *Cursor) Close() error {
	c.err, c.r = io.EOF, nil
	c.blocks, c.blocksMemory, c.active, c.spare = nil, nil, nil, nil
	return nil
}

// Seek makes series the only one that Next goes on with, and of its rows those
// within times, which lie in the options' range. Next gives io.EOF at its end,
// and then, as at any time, c may seek another, or the same again.
func (c *Cursor) Seek(series uint32, times model.TimeRange) {
	if c.err != nil && c.err != io.EOF || c.r == nil {
		return
	}
	c.err = nil
	c.sought[0] = series
	c.o.Series, c.o.Range, c.next = c.sought[:], times, 0
	c.blocks = nil
	c.spare = append(c.spare, c.active...)
	c.active = c.active[:0]
}

// Next gives the next granule, or io.EOF after the last. After another error,
// which c repeats, what was given before is not the whole.
func (c *Cursor) Next() (*Granule, error) {
	for c.err == nil {
		if len(c.active) == 0 {
			if len(c.blocks) == 0 {
				c.nextSeries()
				continue
			}
			if c.takeWhole() {
				return &c.granule, nil
			}
			c.begin()
			continue
		}
		if c.merge() {
			return &c.granule, nil
		}
		if len(c.active) > 0 {
			c.begin()
		}
	}
	return nil, c.err
}

// nextSeries collects the blocks of the next series.
func (c *Cursor) nextSeries() {
	if c.next == len(c.o.Series) {
		c.err = io.EOF
		return
	}
	c.series = c.o.Series[c.next]
	c.next++
	m := c.measurementOf(c.series)
	if m == "" {
		if c.err = c.r.index.Damage(); c.err != nil {
			return
		}
	}
	if c.measurement != m || !c.begun {
		c.begun = true
		c.setMeasurement(m)
		c.members, c.sameFor = nil, 0
	}
	if c.sameFor++; c.sameFor == manySeries {
		if c.members, c.err = c.r.index.Of(m); c.err != nil {
			return
		}
	}
	if c.deletes = c.deletes[:0]; len(c.r.deletes.all) > 0 {
		c.deletes = c.r.deletesOf(c.deletes, c.series, c.o.Range)
	}
	c.blocks, c.before = c.blocksMemory[:0], block{}
	for _, f := range c.files {
		if err := c.addFile(f); err != nil {
			c.fail(f.file, err)
			return
		}
	}
	for _, v := range c.slabs {
		c.addSlab(v)
	}
	c.blocksMemory = c.blocks
	order := func(a, b block) int { return cmp.Compare(a.times.Min, b.times.Min) }
	if c.o.Descending {
		order = func(a, b block) int { return cmp.Compare(b.times.Max, a.times.Max) }
	}
	if !slices.IsSortedFunc(c.blocks, order) { // mostly they come in order
		slices.SortFunc(c.blocks, order)
	}
}

// manySeries is from how many series of a measurement on all series of it are
// looked up at once.
const manySeries = 256

// measurementOf gives the measurement of a series, most often that of the one
// before, and mostly without decoding its key.
func (c *Cursor) measurementOf(series uint32) string {
	if c.members != nil && c.members.Contains(series) {
		return c.measurement
	}
	return c.r.index.Measurement(series)
}

func (c *Cursor) setMeasurement(name string) {
	c.measurement = name
	c.files = c.files[:0]
	for _, f := range c.r.files {
		if !f.meta.times.Overlaps(c.span) {
			continue
		}
		if err := f.err(); err != nil {
			c.err = err
			return
		}
		if f.r.Range(name).Overlaps(c.span) {
			fc := &fileCursor{file: f}
			fc.Reset(f.r, name, c.o.Fields)
			if c.recheck {
				fc.Recheck()
			}
			c.files = append(c.files, fc)
		}
	}
	if !c.filesOnly {
		c.slabs = c.r.slabViews(name)
	}
}

// fail ends c. A file that turns out to be damaged is read by nobody any more.
func (c *Cursor) fail(f *file, err error) {
	if f.quarantine(err) {
		c.r.s.reportDamage(f)
	}
	c.err = f.err()
}

func (c *Cursor) addFile(f *fileCursor) error {
	if err := f.file.err(); err != nil {
		return err
	}
	ok, err := f.Seek(c.series)
	if err != nil || !ok {
		return err
	}
	granules := f.Granules()
	for i := range f.Within(c.o.Range) {
		if c.deleted(f, granules[i].Range) {
			c.count.in += int64(granules[i].Rows)
			c.count.hidden += int64(granules[i].Rows)
			continue
		}
		c.blocks = append(c.blocks, block{times: granules[i].Range, file: f, granule: i, count: granules[i].Rows, repeats: granules[i].Repeats, rank: len(c.blocks)})
	}
	return nil
}

// deleted reports whether one delete hides every row that f has in a range.
func (c *Cursor) deleted(f *fileCursor, times model.TimeRange) bool {
	for _, t := range c.deletes {
		if t.times.Covers(times) && t.coversFile(&f.file.meta) == coversAll {
			return true
		}
	}
	return false
}

func (c *Cursor) addSlab(v *slabView) {
	rows := v.order().of(c.series)
	lo, _ := slices.BinarySearchFunc(rows, c.o.Range.Min, func(r uint32, t int64) int { return cmp.Compare(v.times[r], t) })
	rows = rows[lo:]
	hi, _ := slices.BinarySearchFunc(rows, c.o.Range.Max, func(r uint32, t int64) int {
		if v.times[r] <= t {
			return -1
		}
		return 1
	})
	for rows = rows[:hi]; len(rows) > 0; {
		n := min(len(rows), maxBlockRows)
		c.blocks = append(c.blocks, block{
			times: model.TimeRange{Min: v.times[rows[0]], Max: v.times[rows[n-1]]},
			slab:  v, rows: rows[:n], count: n, rank: len(c.blocks),
		})
		rows = rows[n:]
	}
}

// takeWhole gives the next block undecoded, if it is a granule of a file of
// which every row counts, or that may come with others, and which overlaps
// nothing.
func (c *Cursor) takeWhole() bool {
	b := &c.blocks[0]
	if c.all && !c.copying || b.file == nil || b.repeats || !c.o.Whole && !c.o.Range.Covers(b.times) {
		return false
	}
	if len(c.blocks) > 1 && c.blocks[1].times.Overlaps(b.times) {
		return false
	}
	for _, t := range c.deletes {
		if t.times.Overlaps(b.times) && t.coversFile(&b.file.file.meta) != coversNone {
			return false
		}
	}
	if c.copying && (!b.file.Alone(b.granule) || c.cutByFlush()) {
		return false
	}
	c.granule = Granule{c: c, series: c.series, rows: b.count, times: b.times, source: b.file, granule: b.granule}
	c.count.in += int64(b.count)
	c.count.out += int64(b.count)
	c.before = *b
	c.blocks = c.blocks[1:]
	return true
}

// begin decodes the next block.
func (c *Cursor) begin() {
	b := &c.blocks[0]
	var r *run
	if b.file != nil {
		for _, other := range c.active {
			if other.file == b.file {
				other.detach() // decoding reuses the file's memory
			}
		}
		var err error
		if r, err = c.decode(b.file, b.granule); err != nil {
			return
		}
		r.repeats = b.repeats
		r.lo, _ = slices.BinarySearch(r.times, c.o.Range.Min)
		r.hi = after(r.times, c.o.Range.Max)
	} else {
		r = c.gather(b)
	}
	r.rank = b.rank
	c.count.in += int64(r.hi - r.lo)
	c.hide(r)
	c.active = append(c.active, r)
	c.before = *b
	c.blocks = c.blocks[1:]
}

// after gives the number of times that are not above t.
func after(times []int64, t int64) int {
	if t == math.MaxInt64 {
		return len(times)
	}
	n, _ := slices.BinarySearch(times, t+1)
	return n
}

// decode gives a granule of a file. Its memory is the file cursor's.
func (c *Cursor) decode(f *fileCursor, granule int) (*run, error) {
	r := c.newRun()
	r.file = f
	var err error
	if r.times, err = f.Times(granule); err == nil && f.file.meta.versioned {
		r.versions, err = f.Versions(granule)
		r.table = f.file.r.Versions()
	} else {
		r.version = f.file.meta.high
	}
	if err == nil {
		r.borrowed, err = f.columns(r.borrowed, granule, len(c.o.Fields))
	}
	r.columns = r.borrowed
	if err != nil {
		c.fail(f.file, err)
		return nil, c.err
	}
	r.hi = len(r.times)
	return r, nil
}

// columns adds the columns of all n fields.
func (f *fileCursor) columns(dst []model.Column, granule, n int) ([]model.Column, error) {
	for i := range n {
		column, err := f.Column(granule, i)
		if err != nil {
			return dst, err
		}
		dst = append(dst, *column)
	}
	return dst, nil
}

// gather gives rows of a memtable.
func (c *Cursor) gather(b *block) *run {
	r := c.newRun()
	v := b.slab
	r.table = v.table
	for _, row := range b.rows {
		r.times = append(r.times, v.times[row])
		r.versions = append(r.versions, v.versions[row])
	}
	for i := 1; i < len(r.times) && !r.repeats; i++ {
		r.repeats = r.times[i] == r.times[i-1]
	}
	for _, f := range c.o.Fields {
		from := v.field(f)
		if from == nil {
			from = &model.Column{Field: f}
		}
		to := r.column(f)
		appendRows(to, from, b.rows)
	}
	r.hi = len(r.times)
	return r
}

// hide marks the rows of r that a delete covers.
func (c *Cursor) hide(r *run) {
	if r.lo == r.hi {
		return
	}
	times := r.times[:r.hi]
	rows := model.TimeRange{Min: times[r.lo], Max: times[r.hi-1]}
	for _, t := range c.deletes {
		if !t.times.Overlaps(rows) {
			continue
		}
		how := coversSome
		if r.file != nil {
			how = t.coversFile(&r.file.file.meta)
		}
		if how == coversNone {
			continue
		}
		first, _ := slices.BinarySearch(times, t.times.Min)
		for i := max(r.lo, first); i < r.hi && times[i] <= t.times.Max; i++ {
			if (how == coversAll || r.versionOf(i).Less(t.version)) && !r.isHidden(i) {
				if r.hidden == nil {
					r.hidden = model.NewBitmap(len(r.times))
				}
				r.hidden.Set(i)
				c.count.hidden++
			}
		}
	}
}
