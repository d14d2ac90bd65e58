package tsm

import (
	"sync"

	"github.com/varvedb/varve/model"
)

const (
	minSlabRows = 256
	maxSlabRows = 64 << 10
	// maxSlabText bounds the text of one string column of a slab well below
	// what the 32 bits of model.Column.Ends reach, so that a batch's text always
	// fits behind it.
	maxSlabText = 1 << 30
)

// slab is up to maxSlabRows rows of one measurement in the order in which they
// arrived. Rows are only added, by one writer under the shard's lock; readers
// work on a view of the first n rows.
type slab struct {
	series   []uint32
	times    []int64
	versions []uint32 // per row, an index into table
	table    []model.Version
	columns  []model.Column // may be shorter than the slab: the rest has no value
	fields   map[model.Field]int

	// order is that of the first len(order.rows) rows, once somebody asked.
	order struct {
		sync.Mutex
		*order
	}
}

func newSlab() *slab { return &slab{fields: map[model.Field]int{}} }

func (s *slab) rows() int { return len(s.times) }

// room gives the number of rows that can be added of a table with these columns.
func (s *slab) room(columns []model.Column) int {
	for i := range columns {
		if columns[i].Type != model.String {
			continue
		}
		if at, ok := s.fields[columns[i].Field]; ok && len(s.columns[at].Text) > maxSlabText {
			return 0
		}
	}
	return maxSlabRows - s.rows()
}

// append adds rows lo to before hi of t, ids being those of the batch's series,
// and gives about how many bytes that took.
func (s *slab) append(t *model.Table, ids []uint32, v model.Version, lo, hi int) (bytes int) {
	n, rows := s.rows(), hi-lo
	if len(s.table) == 0 || s.table[len(s.table)-1] != v {
		s.table = append(s.table, v)
	}
	s.grow(n + rows)
	s.times = append(s.times, t.Times[lo:hi]...)
	for _, i := range t.Series[lo:hi] {
		s.series = append(s.series, ids[i])
	}
	version := uint32(len(s.table) - 1)
	for range rows {
		s.versions = append(s.versions, version)
	}
	bytes = rows * (8 + 4 + 4)
	for i := range t.Columns {
		from := &t.Columns[i]
		to := s.column(i, from.Field, n+rows)
		text := len(to.Text)
		appendNulls(to, n-to.Len())
		appendRange(to, from, lo, hi)
		if from.Type == model.String {
			bytes += rows*4 + len(to.Text) - text
		} else {
			bytes += rows * 8
		}
	}
	return bytes
}

// grow makes room for n rows in the arrays that every row has.
func (s *slab) grow(n int) {
	if n <= cap(s.times) {
		return
	}
	size := slabSize(n)
	s.times = resized(s.times, size)
	s.series = resized(s.series, size)
	s.versions = resized(s.versions, size)
}

// slabSize gives the size to which a slab's arrays grow for n rows.
func slabSize(n int) int {
	size := minSlabRows
	for size < n {
		size *= 4
	}
	return min(size, maxSlabRows)
}

// resized gives a copy: a reader may hold the old array.
func resized[T any](a []T, size int) []T { return append(make([]T, 0, size), a...) }

// column finds the column of a field, which is most often the one that is at
// the same place in the batch, and makes room in it for n rows.
func (s *slab) column(at int, f model.Field, n int) *model.Column {
	if at >= len(s.columns) || s.columns[at].Field != f {
		var ok bool
		if at, ok = s.fields[f]; !ok {
			at = len(s.columns)
			s.columns = append(s.columns, model.Column{Field: f})
			s.fields[f] = at
		}
	}
	c := &s.columns[at]
	if f.Type == model.String {
		if n > cap(c.Ends) {
			c.Ends = resized(c.Ends, slabSize(n))
		}
	} else if n > cap(c.Bits) {
		c.Bits = resized(c.Bits, slabSize(n))
	}
	return c
}

// slabView is the first rows of a slab, which do not change any more.
type slabView struct {
	slab     *slab
	times    []int64
	series   []uint32
	versions []uint32
	table    []model.Version
	columns  []model.Column
}

// view gives the first n rows. The shard's lock is held.
func (s *slab) view(n int) *slabView {
	v := &slabView{
		slab:     s,
		times:    s.times[:n:n],
		series:   s.series[:n:n],
		versions: s.versions[:n:n],
		table:    s.table[:len(s.table):len(s.table)],
		columns:  make([]model.Column, 0, len(s.columns)),
	}
	for _, c := range s.columns {
		rows := min(n, c.Len())
		if c.Type == model.String {
			c.Ends = c.Ends[:rows:rows]
		} else {
			c.Bits = c.Bits[:rows:rows]
		}
		if c.Present != nil {
			// The writer sets bits in the last word that readers look at.
			c.Present = append(model.Bitmap(nil), c.Present[:(rows+63)/64]...)
			if last := rows & 63; last != 0 {
				c.Present[rows>>6] &= 1<<last - 1
			}
		}
		v.columns = append(v.columns, c)
	}
	return v
}

// field gives a column, nil when no row has one.
func (v *slabView) field(f model.Field) *model.Column {
	for i := range v.columns {
		if v.columns[i].Field == f {
			return &v.columns[i]
		}
	}
	return nil
}

// order gives the rows of v in order. It is kept for the next view of as many
// rows; the last view of a slab is the one that a flush asks for.
func (v *slabView) order() *order {
	o := &v.slab.order
	o.Lock()
	defer o.Unlock()
	if o.order == nil || len(o.rows) != len(v.times) {
		o.order = newOrder(v.series, v.times, v.versions, v.table)
	}
	return o.order
}
