package segment

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// Options say how a file is written.
type Options struct {
	// Versioned files keep a version per row; rows of one series and time may
	// then occur several times. Others keep only the range given to Cover.
	Versioned bool
	// SegmentBytes is about how many encoded bytes a segment gets; 0 is 2 MiB.
	SegmentBytes int
	// Effort says how much time may go into making blocks small.
	Effort block.Effort
}

// Rows is some rows of one series, in ascending time. Without versions times
// are distinct; with them rows of one time are in ascending order of version.
type Rows struct {
	Times    []int64
	Versions []uint32       // per row, what Writer.Version gave; nil unless Versioned
	Columns  []model.Column // each as long as Times, fields distinct; a field of the measurement may be missing
}

// Meta is what is known of a whole file.
type Meta struct {
	Size       int64 // bytes
	Rows       int64
	Series     int64           // of all measurements; one that two segments share counts once
	Range      model.TimeRange // empty when there are no rows
	MinVersion model.Version
	MaxVersion model.Version
	Versioned  bool
}

const (
	defaultSegmentBytes = 2 << 20
	// maxSegmentRows bounds a segment of rows that compress to nothing, and
	// with that what a reader may be made to believe.
	maxSegmentRows = 1 << 18
	// maxSegmentCells bounds the memory that a segment of very many fields takes
	// before it is encoded.
	maxSegmentCells = 1 << 23
	// runRows is how many rows of a series are gathered before granules are
	// cut from them.
	runRows = 4 * MaxGranuleRows
	// maxVersions bounds the table of versions of a file.
	maxVersions = 1 << 24
)

// errMisuse is a broken promise of the caller. It has none of model's kinds: no
// request is at fault.
var errMisuse = errors.New("rows not as a segment file takes them")

// Writer makes a file. It is for one goroutine. After an error nothing may be
// done but to throw the file away.
type Writer struct {
	f    io.Writer
	opt  Options
	err  error
	size int64  // bytes written
	out  []byte // scratch of flushSegment
	foot footer

	versions map[model.Version]uint32

	// The measurement in progress.
	measurement string
	started     bool
	fields      []model.Field
	byField     map[model.Field]int
	shape       []int // by place in Rows.Columns: the field that was there last

	// The series in progress: rows not yet in a granule.
	series     uint32
	anySeries  bool // of the measurement
	inSeries   bool
	cutAlready bool // some of its rows are in a granule
	lastTime   int64
	lastRow    uint32 // version of its last row
	run        buffer

	// Tiny series that will share a granule.
	shared       buffer
	sharedPieces []int

	segment builder
	numbers []int64 // scratch of Copy
}

// NewWriter starts a file at the beginning of f, which is empty. The caller keeps
// f: it syncs and closes it after Finish. What goes to a buffer is opened by
// OpenBytes.
func NewWriter(f io.Writer, opt Options) *Writer {
	if opt.SegmentBytes <= 0 {
		opt.SegmentBytes = defaultSegmentBytes
	}
	w := &Writer{
		f: f, opt: opt,
		versions: make(map[model.Version]uint32),
		byField:  make(map[model.Field]int),
	}
	w.foot.meta = Meta{Range: noTimes, Versioned: opt.Versioned}
	w.segment.effort = opt.Effort
	w.segment.enc.SetEffort(opt.Effort)
	w.segment.reset()
	w.write([]byte(headMagic))
	return w
}

// noTimes is the empty range that Union widens.
var noTimes = model.TimeRange{Min: model.MaxTime, Max: model.MinTime}

// Version gives the index by which Rows name a version in this file. The same
// version gets the same index. Only for Versioned files.
func (w *Writer) Version(v model.Version) uint32 {
	if i, ok := w.versions[v]; ok {
		return i
	}
	i := uint32(len(w.foot.versions))
	if i == maxVersions {
		w.fail(fmt.Errorf("more than %d versions in a file: %w", maxVersions, model.ErrTooLarge))
		return 0
	}
	w.versions[v] = i
	w.foot.versions = append(w.foot.versions, v)
	w.Cover(v, v)
	return i
}

// Cover widens the range of versions that the file says it has. Files without
// versions know theirs only by this; versions given to Version are covered.
func (w *Writer) Cover(low, high model.Version) {
	m := &w.foot.meta
	if !w.foot.covered || low.Less(m.MinVersion) {
		m.MinVersion = low
	}
	if !w.foot.covered || m.MaxVersion.Less(high) {
		m.MaxVersion = high
	}
	w.foot.covered = true
}

// Append adds rows to a series. Measurements come in ascending order, within
// one the series ids, within a series the rows, in any number of calls. Rows
// are copied. Rows out of order are a mistake of the caller and an error.
func (w *Writer) Append(measurement string, series uint32, rows *Rows) error {
	if w.err != nil {
		return w.err
	}
	if len(rows.Times) == 0 {
		return nil
	}
	w.goTo(measurement, series)
	w.check(rows)
	w.add(rows, 0, len(rows.Times))
	return w.err
}

// add takes rows from to to-1 of the series in progress, which are checked.
func (w *Writer) add(rows *Rows, from, end int) {
	for from < end && w.err == nil {
		to := min(from+runRows, end)
		for to > from+1 && textOf(rows, from, to) > 4*granuleText {
			to = from + (to-from)/2
		}
		w.take(&w.run, rows, from, to)
		if w.run.rows() >= runRows || w.run.text(0, w.run.rows()) > 4*granuleText {
			w.cut(false)
		}
		from = to
	}
}

// goTo ends what came before a series, unless w is there already.
func (w *Writer) goTo(measurement string, series uint32) {
	if w.err != nil {
		return
	}
	if !w.started || measurement != w.measurement {
		w.begin(measurement)
	}
	if w.err == nil && (!w.inSeries || series != w.series) {
		w.beginSeries(series)
	}
}

// Size gives the bytes written or ready to be written so far.
func (w *Writer) Size() int64 { return w.size + int64(w.segment.size()) }

// Finish writes what is left and the footer. It does not sync.
func (w *Writer) Finish() (Meta, error) {
	w.endMeasurement()
	if w.err != nil {
		return Meta{}, w.err
	}
	w.write(w.foot.append(nil))
	if w.err != nil {
		return Meta{}, w.err
	}
	w.foot.meta.Size = w.size
	meta := w.foot.meta
	w.fail(fmt.Errorf("writer has finished: %w", model.ErrClosed))
	return meta, nil
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *Writer) write(p []byte) {
	if w.err != nil {
		return
	}
	n, err := w.f.Write(p)
	w.size += int64(n)
	if err != nil {
		w.fail(fmt.Errorf("write segment file: %w", err))
	}
}

func (w *Writer) begin(measurement string) {
	if w.started && measurement <= w.measurement {
		w.fail(fmt.Errorf("measurement %q after %q: %w", measurement, w.measurement, errMisuse))
		return
	}
	w.endMeasurement()
	w.started, w.anySeries = true, false
	w.measurement = strings.Clone(measurement)
	w.fields, w.shape = w.fields[:0], w.shape[:0]
	clear(w.byField)
	w.run.columns, w.shared.columns = w.run.columns[:0], w.shared.columns[:0]
	w.segment.fields = w.segment.fields[:0]
}

func (w *Writer) endMeasurement() {
	w.endSeries()
	w.flushSegment()
}

func (w *Writer) beginSeries(series uint32) {
	w.endSeries()
	w.startSeries(series)
}

// startSeries begins a series when the one before has come to its end.
func (w *Writer) startSeries(series uint32) {
	if w.anySeries && series <= w.series {
		w.fail(fmt.Errorf("series %d after %d in %q: %w", series, w.series, w.measurement, errMisuse))
		return
	}
	w.series, w.anySeries, w.inSeries, w.cutAlready = series, true, true, false
	w.foot.meta.Series++
}

// endSeries puts the rest of a series into granules of its own or, if it is
// tiny, into one that it shares.
func (w *Writer) endSeries() {
	if !w.inSeries || w.err != nil {
		return
	}
	n := w.run.rows()
	if n > 0 && n < tinyRows && !w.cutAlready && w.run.text(0, n) <= granuleText/4 {
		w.addTiny(w.run.times, w.shared.rows())
		w.shared.move(&w.run)
		w.flushSharedIfFull()
	} else if n > 0 {
		w.cut(true)
	}
	w.inSeries = false
	w.flushIfFull()
}

// check refuses rows that break the order or the form that Rows promises.
func (w *Writer) check(rows *Rows) {
	if w.err != nil {
		return
	}
	w.checkForm(rows)
	if w.err == nil {
		w.checkOrder(rows.Times, rows.Versions)
	}
}

// checkForm refuses rows that are not all there.
func (w *Writer) checkForm(rows *Rows) {
	w.checkVersions(rows.Versions, len(rows.Times))
	for i := range rows.Columns {
		c := &rows.Columns[i]
		if c.Len() != len(rows.Times) || !c.Type.Valid() {
			w.fail(fmt.Errorf("column %q has %d of %d rows: %w", c.Name, c.Len(), len(rows.Times), errMisuse))
			return
		}
	}
}

func (w *Writer) checkVersions(versions []uint32, rows int) {
	if w.opt.Versioned != (versions != nil) || versions != nil && len(versions) != rows {
		w.fail(fmt.Errorf("%d rows with %d versions: %w", rows, len(versions), errMisuse))
		return
	}
	if len(versions) == 0 {
		return
	}
	if v := slices.Max(versions); int(v) >= len(w.foot.versions) {
		w.fail(fmt.Errorf("row of version %d of %d: %w", v, len(w.foot.versions), errMisuse))
	}
}

// checkOrder compares rows with one another and with the last one of the series.
func (w *Writer) checkOrder(times []int64, versions []uint32) {
	prev := w.lastTime
	fresh := w.run.rows() == 0 && !w.cutAlready
	for i, t := range times {
		if t <= prev && !fresh && !w.follows(t, prev, versions, i) {
			w.fail(fmt.Errorf("series %d of %q: row at %d after one at %d: %w", w.series, w.measurement, t, prev, errMisuse))
			return
		}
		fresh, prev = false, t
	}
	w.lastTime = prev
	if n := len(versions); n > 0 {
		w.lastRow = versions[n-1]
	}
}

// follows reports whether row i may come after one that is not of an earlier time.
func (w *Writer) follows(t, prev int64, versions []uint32, i int) bool {
	if versions == nil || t != prev {
		return false
	}
	before := w.lastRow
	if i > 0 {
		before = versions[i-1]
	}
	return !w.foot.versions[versions[i]].Less(w.foot.versions[before])
}

// take copies rows to b.
func (w *Writer) take(b *buffer, rows *Rows, from, to int) {
	before := b.rows()
	for i := range rows.Columns {
		c := &rows.Columns[i]
		f := w.field(i, c.Field)
		if b.columns[f].Len() != before {
			w.fail(fmt.Errorf("field %q twice in the rows of a series: %w", c.Name, errMisuse))
			return
		}
		b.columns[f].add(c, from, to)
	}
	for i := range b.columns {
		if c := &b.columns[i]; c.Len() == before {
			c.nulls(to - from)
		}
	}
	b.times = append(b.times, rows.Times[from:to]...)
	if rows.Versions != nil {
		b.versions = slices.Grow(b.versions, to-from)
		for _, v := range rows.Versions[from:to] {
			b.versions = append(b.versions, int64(v))
		}
	}
}

// field finds the place of a field in the measurement, a new one when it has
// not been seen. Rows mostly have the same fields in the same order.
func (w *Writer) field(place int, f model.Field) int {
	if place < len(w.shape) && w.fields[w.shape[place]] == f {
		return w.shape[place]
	}
	i, ok := w.byField[f]
	if !ok {
		i = len(w.fields)
		f.Name = strings.Clone(f.Name)
		w.fields = append(w.fields, f)
		w.byField[f] = i
		w.segment.field(i, f.Type)
		w.shared.field(f)
		w.run.field(f)
	}
	for len(w.shape) <= place {
		w.shape = append(w.shape, i)
	}
	w.shape[place] = i
	return i
}

// cut encodes the granules that are complete; all of the run when last is set.
func (w *Writer) cut(last bool) {
	n := w.run.rows()
	length := window(w.run.times)
	from := 0
	for from < n {
		to, ok := w.run.cut(from, length, last)
		if !ok {
			break
		}
		w.segment.begin(w.series)
		times := w.run.times[from:to]
		p := w.segment.piece(0, w.segment.vector(times))
		w.segment.pieces[p].granule = w.segment.granule(&w.run, from, to, !repeat(times))
		from = to
		w.flushIfFull()
	}
	w.cutAlready = w.cutAlready || from > 0
	w.run.drop(from)
}

func (w *Writer) flushIfFull() {
	b := &w.segment
	if b.size() >= w.opt.SegmentBytes || b.rows+w.shared.rows() >= maxSegmentRows || b.cells >= maxSegmentCells {
		w.flushSegment()
	}
}

// flushSegment writes the granules so far as a segment.
func (w *Writer) flushSegment() {
	if w.err != nil {
		return
	}
	w.flushShared()
	if w.segment.empty() {
		return
	}
	var s segment
	w.out, s = w.segment.layout(w.out, w.size, w.fields, w.opt.Versioned)
	w.segment.reset()
	if uint64(len(w.out)) > math.MaxUint32 {
		w.fail(fmt.Errorf("segment of %d bytes: %w", len(w.out), model.ErrTooLarge))
		return
	}
	w.foot.add(w.measurement, s)
	w.write(w.out)
}

// textOf gives the bytes of strings in some rows.
func textOf(rows *Rows, from, to int) int {
	n := 0
	for i := range rows.Columns {
		c := &rows.Columns[i]
		if c.Type != model.String {
			continue
		}
		n += int(c.Ends[to-1])
		if from > 0 {
			n -= int(c.Ends[from-1])
		}
	}
	return n
}
