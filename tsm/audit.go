package tsm

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/segment"
)

// audit sums up rows in the order in which a file has them, whatever the pieces
// they come in: what was given to a file and what the file gives back must be
// equal. It is a check of our own code, not a defence: 32 bits for each column
// of each measurement, whose rows are numbered through, and where in them each
// series ends.
//
// Of granules that are copied it sums up what their statistics say, and the
// content where those say too little: so nothing need be decoded to copy.
type audit struct {
	sum     uint64 // of the measurements before, and where the series of this one end
	name    uint64 // a hash of the measurement's
	rows    int64  // of the measurement
	series  uint32
	begun   bool
	times   uint32
	version uint32
	columns []columnAudit
	scratch []uint64
}

// columnAudit is what a field of a measurement has.
type columnAudit struct {
	field  uint64 // a hash of name and type
	count  int
	next   int64 // the row after the last that has a value
	values uint32
	gaps   uint32
}

// measurement begins one. One without series, and a field without values,
// make no difference.
func (a *audit) measurement(name string, fields []model.Field) {
	a.endMeasurement()
	a.name = uint64(crc32.Checksum([]byte(name), castagnoli))
	a.columns = a.columns[:0]
	for _, f := range fields {
		a.columns = append(a.columns, columnAudit{field: uint64(f.Type)<<32 | uint64(crc32.Checksum([]byte(f.Name), castagnoli))})
	}
}

// at goes to a series.
func (a *audit) at(series uint32) {
	if a.begun && a.series == series {
		return
	}
	a.endSeries()
	a.series, a.begun = series, true
}

func (a *audit) endSeries() {
	if !a.begun {
		return
	}
	a.sum = mix(a.sum, a.name<<32|uint64(a.series))
	a.sum = mix(a.sum, uint64(a.rows))
	a.begun = false
}

// endMeasurement takes what all its series have.
func (a *audit) endMeasurement() {
	a.endSeries()
	if a.rows == 0 {
		return
	}
	a.sum = mix(a.sum, uint64(a.times)<<32|uint64(a.version))
	for i := range a.columns {
		if c := &a.columns[i]; c.count > 0 {
			a.sum = mix(a.sum, c.field)
			a.sum = mix(a.sum, uint64(c.count))
			a.sum = mix(a.sum, uint64(c.gaps)<<32|uint64(c.values))
		}
	}
	a.rows, a.times, a.version, a.columns = 0, 0, 0, a.columns[:0]
}

// finish gives the sum.
func (a *audit) finish() uint64 {
	a.endMeasurement()
	return a.sum
}

// mix puts v into h; the order matters.
func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, v^0xd1b54a32d192ed03)
	return bits.RotateLeft64(hi^lo, 23) + h
}

// add takes rows of the series that follow those before. versions are numbers
// of the file's table.
func (a *audit) add(times []int64, versions []uint32, columns []model.Column) {
	a.times = crc32.Update(a.times, castagnoli, bytesOf(times))
	a.version = crc32.Update(a.version, castagnoli, bytesOf(versions))
	for i := range columns {
		a.column(i, &columns[i])
	}
	a.rows += int64(len(times))
}

// addSeries takes rows of several series, those of each before its end.
func (a *audit) addSeries(series []uint32, ends []int, rows *segment.Rows) {
	a.at(series[0])
	first := a.rows
	a.add(rows.Times, rows.Versions, rows.Columns)
	for i, end := range ends {
		if i > 0 {
			a.at(series[i])
		}
		a.rows = first + int64(end)
	}
}

// column adds the rows of a column; a.rows is that of the first.
func (a *audit) column(i int, col *model.Column) {
	c := &a.columns[i]
	n := col.Count()
	if n == 0 {
		return
	}
	if n == col.Len() {
		a.gap(c, a.rows)
		c.next = a.rows + int64(n)
	} else {
		for row := range col.Len() {
			if col.Has(row) {
				a.gap(c, a.rows+int64(row))
				c.next = a.rows + int64(row) + 1
			}
		}
	}
	c.count += n
	switch {
	case col.Type == model.String:
		a.texts(c, col, n)
	case n == col.Len():
		c.values = crc32.Update(c.values, castagnoli, bytesOf(col.Bits))
	default:
		a.scratch = a.scratch[:0]
		for row, b := range col.Bits {
			if col.Has(row) {
				a.scratch = append(a.scratch, b)
			}
		}
		c.values = crc32.Update(c.values, castagnoli, bytesOf(a.scratch))
	}
}

// gap notes that the rows before this one have no value.
func (a *audit) gap(c *columnAudit, row int64) {
	if row != c.next {
		c.gaps = withNumber(withNumber(c.gaps, uint64(row)), uint64(c.next))
	}
}

func withNumber(sum uint32, v uint64) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return crc32.Update(sum, castagnoli, b[:])
}

// texts adds the n strings of a column, each with its length.
func (a *audit) texts(c *columnAudit, col *model.Column, n int) {
	for row := range col.Len() {
		if n == col.Len() || col.Has(row) {
			text := col.Bytes(row)
			c.values = crc32.Update(withNumber(c.values, uint64(len(text))), castagnoli, text)
		}
	}
}

// copied takes a granule of n rows: the versions its rows keep, and of each
// field either the statistics or, where there are none, the column. What of two
// granules is equal makes no difference, so the times come as their range.
func (a *audit) copied(n int, times model.TimeRange, versions []uint32, of func(field int) (s model.Stats, exact bool, c *model.Column, err error)) error {
	a.scratch = append(a.scratch[:0], uint64(n), uint64(times.Min), uint64(times.Max))
	a.times = crc32.Update(a.times, castagnoli, bytesOf(a.scratch))
	a.version = crc32.Update(a.version, castagnoli, bytesOf(versions))
	for i := range a.columns {
		s, exact, column, err := of(i)
		if err != nil {
			return err
		}
		c := &a.columns[i]
		if exact && s.Count == 0 {
			continue
		}
		if exact {
			a.scratch = append(a.scratch[:0], uint64(s.Count), s.First, s.Last, s.Min, s.Max, s.Sum)
			c.values = crc32.Update(c.values, castagnoli, bytesOf(a.scratch))
			c.count += s.Count
		} else {
			a.column(i, column)
		}
	}
	a.rows += int64(n)
	// Gaps are counted from here on.
	for i := range a.columns {
		a.columns[i].next = a.rows
	}
	return nil
}

// runs is which rows of a file were copied, in order: stretches, first one of
// rows that were not, each as its length.
type runs struct {
	b      []byte
	copied bool
	length uint64
}

func (r *runs) add(copied bool, rows int) {
	if copied != r.copied {
		r.b = binary.AppendUvarint(r.b, r.length)
		r.copied, r.length = copied, 0
	}
	r.length += uint64(rows)
}

// runReader reads runs again.
type runReader struct {
	runs
}

// take reports whether the next rows were copied; ok is false when they were
// not given as one.
func (r *runReader) take(rows int) (copied, ok bool) {
	for r.length == 0 {
		n, used := binary.Uvarint(r.b)
		if used <= 0 {
			return false, false
		}
		r.b, r.length, r.copied = r.b[used:], n, !r.copied
	}
	if uint64(rows) > r.length {
		return false, false
	}
	r.length -= uint64(rows)
	return r.copied, true
}

// reader gives the stretches so far.
func (r *runs) reader() runReader {
	b := binary.AppendUvarint(r.b, r.length)
	return runReader{runs{b: b, copied: true}}
}
