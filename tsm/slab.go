package tsm

import (
	"math/bits"
	"strings"
	"sync"
	"unsafe"

	"github.com/varvedb/varve/model"
)

const (
	minSlabRows = 16 // a shard may have very many measurements
	maxSlabRows = 64 << 10
	minSlabText = 64
	// maxSlabGaps is how many more slots without a value than with one a slab
	// may get, since it has a slot of every field from its first row on: a
	// batch of fields that are rare there begins another.
	maxSlabGaps = 64 << 10
	// maxSlabText bounds the text of one string column of a slab well below
	// what the 32 bits of model.Column.Ends reach, so that a batch's text always
	// fits behind it.
	maxSlabText = 1 << 30
)

// slab is up to maxSlabRows rows of one measurement in the order in which they
// arrived. Rows are only added, by one writer under the shard's lock; readers
// work on a view of the first n rows.
type slab struct {
	memory   *memory // of the arrays
	series   []uint32
	times    []int64
	versions []uint32 // per row, an index into table
	table    []model.Version
	columns  []model.Column // may be shorter than the slab: the rest has no value
	fields   map[model.Field]int
	gaps     int // slots that were filled up, less those that came with a batch

	// order is that of the first len(order.rows) rows, once somebody asked.
	order struct {
		sync.Mutex
		*order
	}
}

func newSlab(m *memory) *slab { return &slab{memory: m, fields: map[model.Field]int{}} }

// About what an empty slab, and one more column of it, take.
const (
	slabBytes   = 512
	columnBytes = 256
)

func (s *slab) rows() int { return len(s.times) }

// room gives the number of rows that can be added of a table with these columns.
func (s *slab) room(columns []model.Column) int {
	gaps := s.gaps
	for i := range columns {
		at, ok := s.find(i, columns[i].Field)
		if !ok {
			gaps += s.rows()
			continue
		}
		gaps += s.rows() - s.columns[at].Len()
		if len(s.columns[at].Text) > maxSlabText {
			return 0
		}
	}
	if s.rows() > 0 && gaps > maxSlabGaps {
		return 0
	}
	return maxSlabRows - s.rows()
}

// append adds rows lo to before hi of t, ids being those of the batch's series,
// and gives about how many bytes more the slab takes beside its memory.
func (s *slab) append(t *model.Table, ids []uint32, v model.Version, lo, hi int) (bytes int) {
	n, rows := s.rows(), hi-lo
	if len(s.table) == 0 || s.table[len(s.table)-1] != v {
		before := cap(s.table)
		s.table = append(s.table, v)
		bytes += (cap(s.table) - before) * int(unsafe.Sizeof(v))
	}
	s.grow(n + rows)
	s.times = append(s.times, t.Times[lo:hi]...)
	series := s.series[n : n+rows]
	for i, at := range t.Series[lo:hi] {
		series[i] = ids[at]
	}
	s.series = s.series[:n+rows]
	versions := s.versions[n : n+rows]
	for i := range versions {
		versions[i] = uint32(len(s.table) - 1)
	}
	s.versions = s.versions[:n+rows]
	for i := range t.Columns {
		from := &t.Columns[i]
		at, ok := s.find(i, from.Field)
		if !ok {
			at = s.addColumn(from.Field)
			bytes += columnBytes
		}
		to := &s.columns[at]
		before := cap(to.Present)
		s.gaps += n - to.Len() - rows
		s.reserve(to, n+rows, from, lo, hi)
		appendNulls(to, n-to.Len())
		appendRange(to, from, lo, hi)
		bytes += 8 * (cap(to.Present) - before)
	}
	return bytes
}

// grow makes room for n rows in the arrays that every row has.
func (s *slab) grow(n int) {
	if n <= cap(s.times) {
		return
	}
	size := slabSize(n)
	s.times = grown(s.memory, s.times, size)
	s.series = grown(s.memory, s.series, size)
	s.versions = grown(s.memory, s.versions, size)
}

// slabSize gives the size to which a slab's arrays grow for n rows.
func slabSize(n int) int {
	size := minSlabRows
	for size < n {
		size *= 4
	}
	return min(size, maxSlabRows)
}

// find gives the place of the column of a field, which is most often the one
// that it has in the batch.
func (s *slab) find(at int, f model.Field) (int, bool) {
	if at < len(s.columns) && s.columns[at].Field == f {
		return at, true
	}
	at, ok := s.fields[f]
	return at, ok
}

func (s *slab) addColumn(f model.Field) (at int) {
	f.Name = strings.Clone(f.Name) // it may be a piece of a request
	at = len(s.columns)
	s.columns = append(s.columns, model.Column{Field: f})
	s.fields[f] = at
	return at
}

// reserve makes room in a column for n rows, the last of which are rows lo to
// before hi of from.
func (s *slab) reserve(c *model.Column, n int, from *model.Column, lo, hi int) {
	if c.Type != model.String {
		if n > cap(c.Bits) {
			c.Bits = grown(s.memory, c.Bits, slabSize(n))
		}
		return
	}
	if n > cap(c.Ends) {
		c.Ends = grown(s.memory, c.Ends, slabSize(n))
	}
	text := len(c.Text) + int(from.Ends[hi-1])
	if lo > 0 {
		text -= int(from.Ends[lo-1])
	}
	if text > cap(c.Text) {
		c.Text = grown(s.memory, c.Text, max(minSlabText, 1<<bits.Len(uint(text-1))))
	}
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
