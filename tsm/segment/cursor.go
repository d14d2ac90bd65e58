package segment

import (
	"iter"
	"runtime/debug"
	"sort"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// Cursor reads the series of one measurement of a Reader. It is for one
// goroutine. It owns the memory it decodes into, so that a Cursor in use takes
// no new memory; Reset keeps that memory. The zero Cursor is ready for Reset.
//
// A series is read by granules: runs of its rows, in ascending time, which do
// not overlap. (In a Versioned file two neighbours may share a time, where
// very many or very large rows have it.)
type Cursor struct {
	r           *Reader
	measurement int // -1: the file has none of it
	fields      []model.Field

	view    view
	segment int // where Next goes on
	next    int // series there

	series   uint32
	moved    bool // series is valid
	granules []Granule
	places   []place // of granules

	dec      block.Decoder
	times    []int64
	timesAt  at
	numbers  []int64 // versions of a whole granule, as decoded
	versions []uint32
	numberAt at
	columns  []cursorColumn
}

// MaxGranuleRows is the most rows of a granule.
const MaxGranuleRows = 1024

// Granule is a run of rows of one series.
type Granule struct {
	Rows  int
	Range model.TimeRange
	// Repeats says that several rows have one time (Versioned files only).
	Repeats bool
}

// place is where a granule of a series is.
type place struct {
	segment, granule, start, vector int
	whole                           bool // the series has the granule to itself
}

// at names what is decoded: thing index of a segment.
type at struct {
	segment, index int
}

var nowhere = at{-1, -1}

// cursorColumn is one field as the cursor reads it.
type cursorColumn struct {
	view    fieldView
	segment int            // of view; -1: none
	tables  []block.Tables // of segments that were read, each at its number modulo their number
	at      at             // granule in whole
	whole   column
	part    column
	none    column // for granules without values
}

// Reset points c before the first series of a measurement; the numbers that
// Stats and Column take index fields, which c copies. A field or measurement
// that the file lacks is no error.
func (c *Cursor) Reset(r *Reader, measurement string, fields []model.Field) {
	c.r = r
	c.measurement = -1
	if i, ok := r.find(measurement); ok {
		c.measurement = i
	}
	c.fields = append(c.fields[:0], fields...)
	c.view = view{}
	c.segment, c.next = 0, 0
	c.moved = false
	c.clearSeries()
	c.timesAt, c.numberAt = nowhere, nowhere
	for len(c.columns) < len(fields) {
		c.columns = append(c.columns, cursorColumn{})
	}
	for i := range fields {
		k := &c.columns[i]
		k.segment, k.at = -1, nowhere
		k.whole.Field, k.none.Field = fields[i], fields[i]
		k.whole.Reset()
	}
}

// Recheck lets c verify each part that it comes to, whether that was done before
// or not, until the next Reset: who makes a new file of what it reads would give
// a checksum of its own to what has gone bad meanwhile.
func (c *Cursor) Recheck() { c.view.anew = true }

func (c *Cursor) clearSeries() {
	c.granules, c.places = c.granules[:0], c.places[:0]
}

func (c *Cursor) segments() []segment {
	if c.measurement < 0 {
		return nil
	}
	return c.r.foot.measurements[c.measurement].segments
}

func (c *Cursor) load(segment int) error { return c.view.load(c.r, c.measurement, segment) }

// Next goes to the next series, in ascending order; false at the end.
func (c *Cursor) Next() (_ bool, err error) {
	defer c.r.guard(debug.SetPanicOnFault(true), &err)
	c.clearSeries()
	segments := c.segments()
	for c.segment < len(segments) {
		if c.next >= segments[c.segment].series {
			c.segment, c.next = c.segment+1, 0
			continue
		}
		if err := c.load(c.segment); err != nil {
			return false, err
		}
		series := c.view.series.Get(c.next)
		if series > uint64(segments[c.segment].last) || c.moved && series <= uint64(c.series) {
			return false, c.view.corrupt("order of series")
		}
		return true, c.collect(uint32(series))
	}
	return false, nil
}

// Seek goes to a series; false when the file has no rows of it, and then c has
// no granules and Next goes to the first series above. Ascending calls are
// quickest.
func (c *Cursor) Seek(series uint32) (_ bool, err error) {
	defer c.r.guard(debug.SetPanicOnFault(true), &err)
	c.clearSeries()
	c.moved = false
	if c.measurement < 0 {
		return false, nil
	}
	k, ok := c.r.foot.measurements[c.measurement].segment(series)
	c.segment, c.next = k, 0
	if !ok {
		return false, nil
	}
	if err := c.load(k); err != nil {
		return false, err
	}
	if c.next, ok = c.view.find(series); !ok {
		return false, nil
	}
	return true, c.collect(series)
}

// collect lists the granules of the series at the cursor's place, which may go
// on in the segments that follow, and moves the place behind it.
func (c *Cursor) collect(series uint32) error {
	c.series, c.moved = series, true
	segments := c.segments()
	for {
		if err := c.collectHere(); err != nil {
			c.clearSeries()
			return err
		}
		c.next++
		if c.next < segments[c.segment].series {
			return nil
		}
		c.segment, c.next = c.segment+1, 0
		if c.segment == len(segments) || segments[c.segment].first != series {
			return nil
		}
		if err := c.load(c.segment); err != nil {
			c.clearSeries()
			return err
		}
		if c.view.series.Get(0) != uint64(series) {
			c.clearSeries()
			return c.view.corrupt("first series")
		}
	}
}

// collectHere lists the granules of the series that are in this segment.
func (c *Cursor) collectHere() error {
	v := &c.view
	from, to := uint64(0), v.pieceEnd.Get(c.next)
	if c.next > 0 {
		from = v.pieceEnd.Get(c.next - 1)
	}
	if from >= to || to > uint64(v.segment.pieces) {
		return v.corrupt("pieces of a series")
	}
	for i := int(from); i < int(to); i++ {
		granule, start, vector := v.pieceGranule.Get(i), v.pieceStart.Get(i), v.pieceVector.Get(i)
		if granule >= uint64(v.segment.granules) || vector >= uint64(v.segment.vectors) {
			return v.corrupt("piece of a series")
		}
		all, rows := v.granuleRows.Get(int(granule)), v.vectorRows.Get(int(vector))
		if all > MaxGranuleRows || rows == 0 || rows > all || start > all-rows {
			return v.corrupt("rows of a piece")
		}
		g := Granule{
			Rows:    int(rows),
			Range:   model.TimeRange{Min: int64(v.vectorFirst.Get(int(vector))), Max: int64(v.vectorLast.Get(int(vector)))},
			Repeats: v.vectorRepeats.Get(int(vector)) != 0,
		}
		if n := len(c.granules); g.Range.Empty() || n > 0 && g.Range.Min < c.granules[n-1].Range.Max {
			return v.corrupt("order of granules")
		}
		c.granules = append(c.granules, g)
		c.places = append(c.places, place{
			segment: c.segment, granule: int(granule), start: int(start), vector: int(vector),
			whole: rows == all,
		})
	}
	return nil
}

// Series gives the series c is at.
func (c *Cursor) Series() uint32 { return c.series }

// Granules gives the granules of the series, in ascending time, until c moves.
func (c *Cursor) Granules() []Granule { return c.granules }

// Within gives the indexes of the granules that overlap r, ascending.
func (c *Cursor) Within(r model.TimeRange) iter.Seq[int] {
	return func(yield func(int) bool) {
		g := sort.Search(len(c.granules), func(i int) bool { return c.granules[i].Range.Max >= r.Min })
		for ; g < len(c.granules) && c.granules[g].Range.Overlaps(r); g++ {
			if !yield(g) {
				return
			}
		}
	}
}

// keptTables is for about how many pairs of a segment and a field a cursor keeps
// what decodes fast, some 16 KB each.
const keptTables = 64

// keepTables makes room for the tables of n segments when c goes back to one: it
// takes as long to make them ready as to decode several granules, and series in
// the order of their tags go to and fro between segments. Who reads a file from
// its start to its end keeps those of one segment.
func (k *cursorColumn) keepTables(back bool, n int) {
	switch {
	case k.tables == nil:
		k.tables = make([]block.Tables, 1)
	case back && len(k.tables) < n:
		k.tables = append(k.tables, make([]block.Tables, n-len(k.tables))...)
	}
}

// column points the view of a field to the segment of p.
func (c *Cursor) column(p *place, field int) (*cursorColumn, error) {
	if err := c.load(p.segment); err != nil {
		return nil, err
	}
	k := &c.columns[field]
	if k.segment == p.segment {
		return k, nil
	}
	k.keepTables(p.segment < k.segment, keptTables/len(c.fields))
	k.segment = -1
	k.view.tables = &k.tables[p.segment%len(k.tables)]
	if err := c.view.loadField(&k.view, c.fields[field]); err != nil {
		return nil, err
	}
	k.segment = p.segment
	return k, nil
}

// Stats summarises field over all rows of granule g without decoding values.
// ok is false where that is not known exactly, and where rows repeat a time. A
// field that has no value in the granule has Count 0 and ok true; for strings
// only Count is meant.
func (c *Cursor) Stats(g, field int) (s model.Stats, ok bool, err error) {
	p, k := &c.places[g], &c.columns[field]
	if k.at == (at{p.segment, p.granule}) && !p.whole {
		return s, false, nil // it has values
	}
	defer c.r.guard(debug.SetPanicOnFault(true), &err)
	if k, err = c.column(p, field); err != nil {
		return s, false, err
	}
	if k.view.absent {
		return s, true, nil
	}
	blob, ok := k.view.blobs.get(p.granule)
	if !ok {
		return s, false, c.view.corrupt(k.view.field.Name)
	}
	if len(blob) == 0 {
		return s, true, nil
	}
	if !p.whole || c.granules[g].Repeats {
		return s, false, nil
	}
	s, ok = k.view.stats(p.granule, c.granules[g].Rows)
	return s, ok, nil
}

// Size gives the bytes in which the values of field in granule g are stored; of
// a granule that several series are in, the share of its rows.
func (c *Cursor) Size(g, field int) (bytes int, err error) {
	defer c.r.guard(debug.SetPanicOnFault(true), &err)
	p := &c.places[g]
	k, err := c.column(p, field)
	if err != nil || k.view.absent {
		return 0, err
	}
	blob, ok := k.view.blobs.get(p.granule)
	if !ok {
		return 0, c.view.corrupt(k.view.field.Name)
	}
	rows := c.granules[g].Rows
	all := max(rows, int(c.view.granuleRows.Get(p.granule)))
	return (len(blob)*rows + all - 1) / all, nil
}

// Times decodes the times of granule g. They are valid until the next Times or
// until c moves.
func (c *Cursor) Times(g int) (_ []int64, err error) {
	defer c.r.guard(debug.SetPanicOnFault(true), &err)
	p := &c.places[g]
	if c.timesAt == (at{p.segment, p.vector}) {
		return c.times, nil
	}
	if err := c.load(p.segment); err != nil {
		return nil, err
	}
	c.timesAt = nowhere
	blob, ok := c.view.vectors.get(p.vector)
	if !ok {
		return nil, c.view.corrupt("times")
	}
	n, span := c.granules[g].Rows, c.granules[g].Range
	if len(blob) == 0 {
		c.times = evenTimes(c.times, n, span)
	} else {
		var err error
		if c.times, err = c.dec.Ints(c.times, n, blob); err != nil {
			return nil, c.view.corrupt("times")
		}
	}
	if c.times[0] != span.Min || c.times[n-1] != span.Max {
		return nil, c.view.corrupt("times")
	}
	c.timesAt = at{p.segment, p.vector}
	return c.times, nil
}

// evenTimes spreads n times over span.
func evenTimes(dst []int64, n int, span model.TimeRange) []int64 {
	if cap(dst) < n {
		dst = make([]int64, n)
	}
	dst = dst[:n]
	step := uint64(0)
	if n > 1 {
		step = (uint64(span.Max) - uint64(span.Min)) / uint64(n-1)
	}
	t := uint64(span.Min)
	for i := range dst {
		dst[i] = int64(t)
		t += step
	}
	return dst
}

// Versions decodes the versions of the rows of granule g, as indexes into
// Reader.Versions; nil when the file is not Versioned. They are valid until the
// next Versions or until c moves.
func (c *Cursor) Versions(g int) (_ []uint32, err error) {
	defer c.r.guard(debug.SetPanicOnFault(true), &err)
	if !c.r.foot.meta.Versioned {
		return nil, nil
	}
	p := &c.places[g]
	if c.numberAt != (at{p.segment, p.granule}) {
		c.numberAt = nowhere
		if err := c.decodeVersions(p); err != nil {
			return nil, err
		}
		c.numberAt = at{p.segment, p.granule}
	}
	c.versions = c.versions[:0]
	for _, n := range c.numbers[p.start : p.start+c.granules[g].Rows] {
		c.versions = append(c.versions, uint32(n))
	}
	return c.versions, nil
}

// decodeVersions decodes those of all rows of the granule at p.
func (c *Cursor) decodeVersions(p *place) error {
	if err := c.load(p.segment); err != nil {
		return err
	}
	if err := c.view.loadVersions(); err != nil {
		return err
	}
	blob, ok := c.view.versions.get(p.granule)
	if !ok {
		return c.view.corrupt("versions")
	}
	var err error
	c.numbers, err = c.dec.Ints(c.numbers, int(c.view.granuleRows.Get(p.granule)), blob)
	if err != nil {
		return c.view.corrupt("versions")
	}
	for _, n := range c.numbers {
		if uint64(n) >= uint64(len(c.r.foot.versions)) {
			return c.view.corrupt("versions")
		}
	}
	return nil
}

// Column decodes a field's values in granule g. Where no row has one, Present
// is all zero. The column is valid until the next Column of the same field or
// until c moves, and must not be changed.
func (c *Cursor) Column(g, field int) (*model.Column, error) {
	p, rows := &c.places[g], c.granules[g].Rows
	k := &c.columns[field]
	if k.at != (at{p.segment, p.granule}) {
		ok, err := c.decode(p, field)
		if err != nil {
			return nil, err
		}
		if !ok {
			return k.empty(rows), nil
		}
	}
	if p.whole {
		return &k.whole.Column, nil
	}
	k.part.part(&k.whole.Column, p.start, p.start+rows)
	return &k.part.Column, nil
}

// decode decodes a field of all rows of the granule at p; false when none has
// a value.
func (c *Cursor) decode(p *place, field int) (ok bool, err error) {
	defer c.r.guard(debug.SetPanicOnFault(true), &err)
	k, err := c.column(p, field)
	if err != nil || k.view.absent {
		return false, err
	}
	blob, ok := k.view.blobs.get(p.granule)
	if !ok {
		return false, c.view.corrupt(k.view.field.Name)
	}
	if len(blob) == 0 {
		return false, nil
	}
	k.at = nowhere
	all := int(c.view.granuleRows.Get(p.granule))
	if err := c.dec.Column(&k.whole.Column, &k.whole.bitmap, all, blob, k.view.tables, k.view.table(p.granule)); err != nil {
		return false, c.view.corrupt(k.view.field.Name)
	}
	k.at = at{p.segment, p.granule}
	return true, nil
}

// empty gives a column of rows without values.
func (k *cursorColumn) empty(rows int) *model.Column {
	if k.none.Len() != rows || k.none.Present == nil {
		k.none.Reset()
		k.none.nulls(rows)
	}
	return &k.none.Column
}
