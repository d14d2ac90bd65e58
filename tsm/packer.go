package tsm

import (
	"cmp"
	"slices"
	"sort"
	"sync"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/segment"
)

// packer writes the rows of slabs to a segment. It keeps every row and every
// version: what hides what is decided by those who read it.
type packer struct {
	w        *segment.Writer
	versions []model.Version // by their numbers in w

	// The table in progress.
	slabs       []*slab
	starts      []uint32   // number of the first row of each slab, and of all rows
	numbers     [][]uint32 // per slab: the numbers in w of the versions in its table
	rows, spare []keyed
	dense       []packField // those with a number in every row
	rest        []packField

	// The rows that are gathered at a time.
	series []uint32
	ends   []int // of the rows of each series
	places []place32
	batch  segment.Rows
}

// packers keeps the memory of packers between packs that follow one another.
var packers = sync.Pool{New: func() any { return new(packer) }}

// place32 is where a row is.
type place32 struct{ slab, row uint32 }

// packField is a field of a table.
type packField struct {
	field   model.Field
	columns []*model.Column // per slab; nil: it has none
	numbers [][]uint64      // per slab, of a dense one
	out     model.Column    // gathered
}

// packRows is how many rows are gathered at a time, column by column: ten of
// them stay in the processor's cache.
const packRows = 4096

func (p *packer) start(w *segment.Writer) { p.w, p.versions = w, p.versions[:0] }

// release lets go of all but p's own memory.
func (p *packer) release() {
	p.w, p.slabs, p.dense, p.rest = nil, nil, nil, nil
	clear(p.numbers)
	p.batch.Columns = nil
	packers.Put(p)
}

// table writes the rows of a measurement.
func (p *packer) table(t *memTable) error {
	if t.rows == 0 {
		return nil
	}
	p.load(t)
	p.sortFields()
	for rest := p.rows; len(rest) > 0; {
		n := p.choose(rest)
		p.gather(rest[:n])
		if err := p.w.AppendSeries(t.name, p.series, p.ends, &p.batch); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// load sorts the rows of t by series.
func (p *packer) load(t *memTable) {
	p.slabs = t.slabs
	p.starts, p.numbers, p.rows = p.starts[:0], p.numbers[:0], slices.Grow(p.rows[:0], t.rows)
	for _, s := range t.slabs {
		p.starts = append(p.starts, uint32(len(p.rows)))
		numbers := make([]uint32, len(s.table))
		for i, v := range s.table {
			if numbers[i] = p.w.Version(v); int(numbers[i]) == len(p.versions) {
				p.versions = append(p.versions, v)
			}
		}
		p.numbers = append(p.numbers, numbers)
		p.rows = appendKeyed(p.rows, s.series)
	}
	p.starts = append(p.starts, uint32(len(p.rows)))
	p.rows, p.spare = sortKeyed(p.rows, p.spare)
}

// sortFields finds the fields of the slabs, and which of them have a number in
// every row.
func (p *packer) sortFields() {
	byField := map[model.Field]int{}
	var fields []packField
	for at, s := range p.slabs {
		for i := range s.columns {
			c := &s.columns[i]
			n, ok := byField[c.Field]
			if !ok {
				n = len(fields)
				byField[c.Field] = n
				fields = append(fields, packField{field: c.Field, columns: make([]*model.Column, len(p.slabs))})
			}
			fields[n].columns[at] = c
		}
	}
	p.dense, p.rest = p.dense[:0], p.rest[:0]
	for _, f := range fields {
		f.out.Field = f.field
		if !f.isDense(p.slabs) {
			p.rest = append(p.rest, f)
			continue
		}
		for _, c := range f.columns {
			f.numbers = append(f.numbers, c.Bits)
		}
		p.dense = append(p.dense, f)
	}
}

func (f *packField) isDense(slabs []*slab) bool {
	for at, s := range slabs {
		c := f.columns[at]
		if c == nil || c.Type == model.String || c.Present != nil || len(c.Bits) != s.rows() {
			return false
		}
	}
	return true
}

// choose lists the series that come next, and gives the number of their rows:
// whole series, unless one alone has more than packRows, which is then sorted.
func (p *packer) choose(rows []keyed) (n int) {
	p.series, p.ends = p.series[:0], p.ends[:0]
	for n < len(rows) {
		end := n + 1
		for end < len(rows) && rows[end].key() == rows[n].key() {
			end++
		}
		if end > packRows {
			if n > 0 {
				break
			}
			// When a part was taken before, this is found in order.
			p.sort(rows[:end])
			end = packRows
		}
		p.series, p.ends = append(p.series, rows[n].key()), append(p.ends, end)
		n = end
	}
	return n
}

// sort puts rows of one series in order of time and version.
func (p *packer) sort(rows []keyed) {
	compare := func(a, b keyed) int {
		x, y := p.place(a), p.place(b)
		s, t := p.slabs[x.slab], p.slabs[y.slab]
		if c := cmp.Compare(s.times[x.row], t.times[y.row]); c != 0 {
			return c
		}
		return s.table[s.versions[x.row]].Compare(t.table[t.versions[y.row]])
	}
	if !slices.IsSortedFunc(rows, compare) {
		slices.SortStableFunc(rows, compare)
	}
}

func (p *packer) place(k keyed) place32 {
	at := uint32(sort.Search(len(p.slabs), func(i int) bool { return p.starts[i+1] > k.row() }))
	return place32{at, k.row() - p.starts[at]}
}

// gather brings rows, those of the series chosen, into order in p.batch.
func (p *packer) gather(rows []keyed) {
	p.locate(rows)
	if p.sortSeries(rows) {
		p.locate(rows)
	}
	p.batch.Columns = p.batch.Columns[:0]
	for i := range p.dense {
		f := &p.dense[i]
		f.out.Bits = resize(f.out.Bits, len(rows))
		for k, at := range p.places {
			f.out.Bits[k] = f.numbers[at.slab][at.row]
		}
		p.batch.Columns = append(p.batch.Columns, f.out)
	}
	for i := range p.rest {
		if f := &p.rest[i]; f.gather(p.places) {
			p.batch.Columns = append(p.batch.Columns, f.out)
		}
	}
}

// locate finds the places, times and versions of rows.
func (p *packer) locate(rows []keyed) {
	p.places = resize(p.places, len(rows))
	p.batch.Times, p.batch.Versions = resize(p.batch.Times, len(rows)), resize(p.batch.Versions, len(rows))
	var at place32
	low, high := uint32(0), uint32(0) // of the rows of the slab of the row before
	for i, k := range rows {
		r := k.row()
		if r < low || r >= high {
			at = p.place(k)
			low, high = p.starts[at.slab], p.starts[at.slab+1]
		}
		at.row = r - low
		s := p.slabs[at.slab]
		p.places[i] = at
		p.batch.Times[i] = s.times[at.row]
		p.batch.Versions[i] = p.numbers[at.slab][s.versions[at.row]]
	}
}

// sortSeries sorts the rows of those series chosen that did not arrive in order,
// which is seldom, and reports whether there are any.
func (p *packer) sortSeries(rows []keyed) (sorted bool) {
	times, versions := p.batch.Times, p.batch.Versions
	from := 0
	for _, end := range p.ends {
		for i := from + 1; i < end; i++ {
			if times[i] > times[i-1] || times[i] == times[i-1] && !p.versions[versions[i]].Less(p.versions[versions[i-1]]) {
				continue
			}
			p.sort(rows[from:end])
			sorted = true
			break
		}
		from = end
	}
	return sorted
}

// gather brings the values at places into order, and reports whether there are
// any.
func (f *packField) gather(places []place32) (some bool) {
	f.out.Reset()
	for _, at := range places {
		from, row := f.columns[at.slab], int(at.row)
		if from != nil && row < from.Len() && from.Has(row) {
			f.out.AppendRow(from, row)
			some = true
		} else {
			f.out.AppendNull()
		}
	}
	return some
}

func resize[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }
