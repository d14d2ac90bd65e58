package tsm

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/varvedb/varve/internal/arena"
	"github.com/varvedb/varve/model"
	blocks "github.com/varvedb/varve/tsm/block"
	"github.com/varvedb/varve/tsm/segment"
)

// Pack puts the rows that came last in order and encodes them as a segment in
// memory, a tenth of the size: so much more fits between two flushes. It does
// nothing when there are none.
func (s *Shard) Pack() error {
	s.packing.Lock()
	defer s.packing.Unlock()
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return errClosed
	}
	if s.mu.active.rows == 0 {
		s.mu.Unlock()
		return nil
	}
	last := s.mu.last
	m := s.mu.active
	s.sealLocked()
	s.mu.Unlock()
	// All rows of a segment are published. The writers are waiting for the same sync.
	err := s.syncAndPublish(last)
	if err == nil {
		err = s.replaceByPacked(m)
	}
	if err != nil {
		return fmt.Errorf("pack memtable: %w", err) // the next flush takes it as it is
	}
	return nil
}

// packReplayed is Pack for a shard that is being opened: what is replayed is
// durable, and must not take more memory than it did before.
func (s *Shard) packReplayed() error {
	s.mu.Lock()
	m := s.mu.active
	if m.rows == 0 {
		s.mu.Unlock()
		return nil
	}
	s.sealLocked()
	s.mu.Unlock()
	return s.replaceByPacked(m)
}

// replaceByPacked packs a sealed memtable all of whose rows are published.
// packing is held, so that it is not flushed meanwhile.
func (s *Shard) replaceByPacked(m *memtable) error {
	s.mu.Lock()
	id := s.mu.nextID // what is known of a file is kept by its number
	s.mu.nextID++
	s.mu.Unlock()
	p, err := pack(m, id, s.cfg.Arena)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.mu.sealed[slices.Index(s.mu.sealed, m)] = p
	s.makeRoomLocked()
	s.mu.Unlock()
	s.metrics.Packs.Inc()
	return m.release()
}

// pack gives a memtable with the rows of m in a segment in memory.
func pack(m *memtable, id uint64, pool *arena.Pool) (*memtable, error) {
	var out bytes.Buffer
	p := packer{w: segment.NewWriter(&out, segment.Options{Versioned: true, Effort: blocks.Fast})}
	for _, t := range slices.SortedFunc(slices.Values(m.tables), func(a, b *memTable) int { return strings.Compare(a.name, b.name) }) {
		if err := p.table(t); err != nil {
			return nil, err
		}
	}
	meta, err := p.w.Finish()
	if err == nil && (meta.Rows != int64(m.rows) || meta.Range != m.times || meta.MinVersion != m.low || meta.MaxVersion != m.high) {
		err = fmt.Errorf("%d rows in %v written, not %d in %v: %w", meta.Rows, meta.Range, m.rows, m.times, model.ErrCorrupt)
	}
	if err != nil {
		return nil, err
	}
	piece := pool.Get(out.Len())
	copy(piece, out.Bytes())
	r, err := segment.OpenBytes(piece)
	if err != nil {
		return nil, err
	}
	f := &file{
		name: segmentName(id) + ", in memory,", r: r, free: func() error { return pool.Put(piece) },
		meta: fileMeta{
			id: id, size: meta.Size, rows: meta.Rows, times: meta.Range,
			low: meta.MinVersion, high: meta.MaxVersion, versioned: true,
		},
	}
	f.refs.Store(1)
	return &memtable{span: m.span, packed: f, packedBytes: meta.Size + packedOverhead(r)}, nil
}

// packedOverhead gives about what an open segment takes beside its bytes.
func packedOverhead(r *segment.Reader) int64 {
	n := 1024 + 32*len(r.Versions())
	for _, name := range r.Measurements() {
		n += 1024 + 64*len(r.Fields(name))
	}
	return int64(n)
}

// packer writes the rows of slabs to a segment. It keeps every row and every
// version: what hides what is decided by those who read it.
type packer struct {
	w        *segment.Writer
	versions []model.Version // by their numbers in w

	// The rows of a table, slab by slab.
	slabs  []*slab
	series []uint32
	times  []int64
	number []uint32 // of the version
	place  []place32

	fields []packField
	dense  []packField
	rest   []packField
	batch  struct {
		times    []int64
		versions []uint32
		bits     [][]uint64 // of the dense fields
	}
	rows segment.Rows
}

// place32 is where a row is.
type place32 struct{ slab, row uint32 }

// packField is a field of a table.
type packField struct {
	field   model.Field
	columns []*model.Column // per slab; nil: it has none
	scratch model.Column
}

// packRows is how many rows are gathered at a time, column by column.
const packRows = 8192

// table writes the rows of a measurement.
func (p *packer) table(t *memTable) error {
	if t.rows == 0 {
		return nil
	}
	p.load(t)
	o := newOrder(p.series, p.times, p.number, p.versions)
	p.sortFields()
	for from := 0; from < len(o.series); {
		// Whole series, unless one has more than that.
		lo, to := o.starts[from], from+1
		for to < len(o.series) && o.starts[to+1]-lo <= packRows {
			to++
		}
		hi := o.starts[to]
		for at := lo; at < hi; at += packRows {
			end := min(at+packRows, hi)
			p.gather(o.rows[at:end])
			for i := from; i < to; i++ {
				first, last := max(o.starts[i], at), min(o.starts[i+1], end)
				if err := p.append(t.name, o.series[i], o.rows[first:last], int(first-at)); err != nil {
					return err
				}
			}
		}
		from = to
	}
	return nil
}

// load puts what all rows of t have one slab behind the other.
func (p *packer) load(t *memTable) {
	p.slabs = t.slabs
	p.series, p.times, p.number = slices.Grow(p.series[:0], t.rows), slices.Grow(p.times[:0], t.rows), slices.Grow(p.number[:0], t.rows)
	p.place = slices.Grow(p.place[:0], t.rows)
	for at, s := range t.slabs {
		numbers := make([]uint32, len(s.table))
		for i, v := range s.table {
			if numbers[i] = p.w.Version(v); int(numbers[i]) == len(p.versions) {
				p.versions = append(p.versions, v)
			}
		}
		p.series = append(p.series, s.series...)
		p.times = append(p.times, s.times...)
		for row, v := range s.versions {
			p.number = append(p.number, numbers[v])
			p.place = append(p.place, place32{uint32(at), uint32(row)})
		}
	}
}

// sortFields finds the fields of the slabs, and which of them have a number in
// every row: those are gathered for many series at once.
func (p *packer) sortFields() {
	p.dense, p.rest = p.dense[:0], p.rest[:0]
	byField := map[model.Field]int{}
	fields := p.fields[:0]
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
	p.fields = fields
	for _, f := range fields {
		if f.isDense(p.slabs) {
			p.dense = append(p.dense, f)
		} else {
			p.rest = append(p.rest, f)
		}
	}
	p.rows.Columns = p.rows.Columns[:0]
	for i := range p.dense {
		p.rows.Columns = append(p.rows.Columns, model.Column{Field: p.dense[i].field})
	}
	for len(p.batch.bits) < len(p.dense) {
		p.batch.bits = append(p.batch.bits, nil)
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

// gather brings some rows into order.
func (p *packer) gather(rows []uint32) {
	b := &p.batch
	b.times, b.versions = resize(b.times, len(rows)), resize(b.versions, len(rows))
	for i, r := range rows {
		b.times[i], b.versions[i] = p.times[r], p.number[r]
	}
	for i := range p.dense {
		out := resize(b.bits[i], len(rows))
		b.bits[i] = out
		if len(p.slabs) == 1 {
			from := p.dense[i].columns[0].Bits
			for k, r := range rows {
				out[k] = from[r]
			}
			continue
		}
		for k, r := range rows {
			at := p.place[r]
			out[k] = p.dense[i].columns[at.slab].Bits[at.row]
		}
	}
}

func resize[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// append writes rows of one series, which gather has brought to at of the batch.
func (p *packer) append(measurement string, series uint32, rows []uint32, at int) error {
	end := at + len(rows)
	p.rows.Times, p.rows.Versions = p.batch.times[at:end], p.batch.versions[at:end]
	p.rows.Columns = p.rows.Columns[:len(p.dense)]
	for i := range p.dense {
		p.rows.Columns[i].Bits = p.batch.bits[i][at:end]
	}
	for i := range p.rest {
		f := &p.rest[i]
		c := &f.scratch
		c.Field = f.field
		c.Reset()
		some := false
		for _, r := range rows {
			at := p.place[r]
			if from := f.columns[at.slab]; from != nil && int(at.row) < from.Len() && from.Has(int(at.row)) {
				c.AppendRow(from, int(at.row))
				some = true
			} else {
				c.AppendNull()
			}
		}
		if some {
			p.rows.Columns = append(p.rows.Columns, *c)
		}
	}
	return p.w.Append(measurement, series, &p.rows)
}
