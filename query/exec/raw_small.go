package exec

import (
	"errors"
	"io"

	"github.com/varvedb/varve/model"
)

// A cursor keeps what it decodes, which for a series that shares its granule
// with others is a hundred times what the series has. So the series of a group
// that have few rows are read by one cursor, and their rows copied.
const (
	smallRows = 128
	// seriesBytes is what a series takes beside its rows, inputBytes what it
	// takes for each input, and cursorBytes what a cursor of its own takes beside
	// the rows that it gives.
	seriesBytes = 200
	inputBytes  = 160
	cursorBytes = 4 << 10
)

// smallSeries reads the series of a group that have few rows.
type smallSeries struct {
	*rowMerge
	series []uint32
	cursor Cursor  // nil: to be made
	ahead  Granule // the next one of cursor; nil at the end
	b      batch
}

func (m *rowMerge) scan(series []uint32) Cursor {
	return m.src.Scan(ScanOptions{Series: series, Fields: m.fields, Range: m.f.Range, Descending: m.f.Descending})
}

// take reads all rows of the series with index i, which rises by one from call
// to call, into s. It reports false for one that has too many, or is in several
// granules: that one needs a cursor of its own.
func (r *smallSeries) take(i int, s *seriesRows) (bool, error) {
	id := r.series[i]
	if r.cursor == nil {
		r.cursor = r.scan(r.series[i:])
		if err := r.next(); err != nil {
			return false, err
		}
	}
	if r.ahead == nil || r.ahead.Series() != id {
		return true, nil // no rows
	}
	if r.ahead.Len() > smallRows {
		return false, r.close()
	}
	points := r.points
	if err := r.load(&r.b, r.ahead, s.filter); err != nil {
		return false, err
	}
	r.leaveEmptyRows(&r.b)
	r.b.copyTo(&s.b)
	if err := r.next(); err != nil {
		return false, err
	}
	if r.ahead != nil && r.ahead.Series() == id {
		r.points = points
		s.b = batch{}
		return false, r.close()
	}
	s.descending = r.f.Descending
	s.bytes = s.b.len()*(len(s.b.inputs)+1)*8 + seriesBytes + len(s.b.inputs)*inputBytes
	r.bytes += s.bytes
	return true, r.account.Set(r.bytes)
}

// next reads ahead.
func (r *smallSeries) next() (err error) {
	r.ahead, err = r.cursor.Next()
	if errors.Is(err, io.EOF) {
		r.ahead, err = nil, nil
	}
	return err
}

// close ends the cursor; the next call of take makes another.
func (r *smallSeries) close() error {
	if r.cursor == nil {
		return nil
	}
	c := r.cursor
	r.cursor, r.ahead = nil, nil
	return c.Close()
}

// copyTo copies the rows that count, and nothing else.
func (b *batch) copyTo(out *batch) {
	n := b.len()
	out.times, out.rows, out.lo, out.hi = make([]int64, n), nil, 0, n
	for i := range n {
		out.times[i] = b.times[b.row(i)]
	}
	out.inputs = make([]vector, len(b.inputs))
	for j := range b.inputs {
		v := &b.inputs[j]
		if v.Type == 0 || v.constant {
			out.inputs[j] = *v
			continue
		}
		c := model.Column{Field: v.Field}
		for i := range n {
			c.AppendRow(&v.Column, b.row(i))
		}
		out.inputs[j] = vector{Column: c}
	}
}
