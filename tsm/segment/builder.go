package segment

import (
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/varvedb/varve/internal/invariant"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// castagnoli is the polynomial that processors know.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// builder gathers the encoded granules of one segment, field by field, and
// then lays them out as the parts of the file.
type builder struct {
	enc block.Encoder

	series   []uint64
	pieceEnd []uint64 // per series: where its pieces end
	pieces   []piece

	granuleRows []uint64
	times       vectors
	versions    blobs
	fields      []fieldBuilder // as the fields of the measurement

	rows int
	span model.TimeRange
	part column // scratch
}

// piece is the rows of one series in one granule.
type piece struct {
	granule, start, vector uint32
}

// blobs is one run of bytes for each granule.
type blobs struct {
	data []byte
	ends []uint64
}

func (b *blobs) reset() { b.data, b.ends = b.data[:0], b.ends[:0] }

// fieldBuilder is the granules of one field and what they amount to. The
// statistics are zero for granules without values or of several series.
type fieldBuilder struct {
	blobs
	exact, nulls, first, last, min, max, sum []uint64
}

func (f *fieldBuilder) reset() {
	f.blobs.reset()
	for _, s := range f.columns() {
		*s = (*s)[:0]
	}
}

func (f *fieldBuilder) columns() [7]*[]uint64 {
	return [...]*[]uint64{&f.exact, &f.nulls, &f.first, &f.last, &f.min, &f.max, &f.sum}
}

// pad gives granules before g, made when the field was not known, no values.
func (f *fieldBuilder) pad(g int) {
	for len(f.ends) < g {
		f.ends = append(f.ends, uint64(len(f.data)))
	}
	for _, s := range f.columns() {
		for len(*s) < g {
			*s = append(*s, 0)
		}
	}
}

func (f *fieldBuilder) add(s model.Stats, exact bool, rows int) {
	f.ends = append(f.ends, uint64(len(f.data)))
	if !exact {
		for _, c := range f.columns() {
			*c = append(*c, 0)
		}
		return
	}
	for i, v := range [...]uint64{1, uint64(rows - s.Count), s.First, s.Last, s.Min, s.Max, s.Sum} {
		c := f.columns()[i]
		*c = append(*c, v)
	}
}

func (b *builder) empty() bool { return b.rows == 0 }

// size gives the encoded bytes so far, without what is kept per granule.
func (b *builder) size() int {
	n := len(b.times.data) + len(b.versions.data)
	for i := range b.fields {
		n += len(b.fields[i].data)
	}
	return n
}

// begin starts a series, unless the last one goes on.
func (b *builder) begin(series uint32) {
	if n := len(b.series); n > 0 && b.series[n-1] == uint64(series) {
		return
	}
	b.series = append(b.series, uint64(series))
	b.pieceEnd = append(b.pieceEnd, uint64(len(b.pieces)))
}

// piece adds rows of the series begun last, which come into a granule that the
// caller fills in, and gives the piece's number.
func (b *builder) piece(start int, times []int64) int {
	v := b.times.add(&b.enc, times)
	b.pieces = append(b.pieces, piece{start: uint32(start), vector: v})
	b.pieceEnd[len(b.pieceEnd)-1] = uint64(len(b.pieces))
	b.span = b.span.Union(model.TimeRange{Min: times[0], Max: times[len(times)-1]})
	return len(b.pieces) - 1
}

// granule encodes the rows from to to-1 of rows and gives the granule's number.
// When alone is set they are all of one series and have distinct times, so
// their statistics say something.
func (b *builder) granule(rows *buffer, from, to int, alone bool) uint32 {
	g := len(b.granuleRows)
	b.granuleRows = append(b.granuleRows, uint64(to-from))
	b.rows += to - from
	if len(rows.versions) > 0 {
		b.versions.data = b.enc.AppendInts(b.versions.data, rows.versions[from:to])
		b.versions.ends = append(b.versions.ends, uint64(len(b.versions.data)))
	}
	for len(b.fields) < len(rows.columns) {
		b.fields = append(b.fields, fieldBuilder{})
	}
	for i := range rows.columns {
		f := &b.fields[i]
		f.pad(g)
		b.part.part(&rows.columns[i].Column, from, to)
		if b.part.Count() == 0 {
			f.add(model.Stats{}, false, to-from)
			continue
		}
		start := len(f.data)
		f.data = b.enc.AppendColumn(f.data, &b.part.Column)
		if invariant.Enabled {
			recheck(f.data[start:], &b.part.Column)
		}
		var stats model.Stats
		exact := false
		if alone {
			stats, exact = block.Stats(&b.part.Column)
		}
		f.add(stats, exact, to-from)
	}
	return uint32(g)
}

func (b *builder) reset() {
	b.series, b.pieceEnd, b.pieces = b.series[:0], b.pieceEnd[:0], b.pieces[:0]
	b.granuleRows = b.granuleRows[:0]
	b.times.reset()
	b.versions.reset()
	for i := range b.fields {
		b.fields[i].reset()
	}
	b.rows = 0
	b.span = model.TimeRange{Min: model.MaxTime, Max: model.MinTime}
}

// layout appends the parts of the segment to dst and describes them; base is
// where dst begins in the file. fields are those of the measurement so far.
func (b *builder) layout(dst []byte, base int64, fields []model.Field, versioned bool) ([]byte, segment) {
	s := segment{
		offset:   base,
		rows:     b.rows,
		series:   len(b.series),
		pieces:   len(b.pieces),
		granules: len(b.granuleRows),
		vectors:  len(b.times.rows),
		first:    uint32(b.series[0]),
		last:     uint32(b.series[len(b.series)-1]),
		times:    b.span,
	}
	start := len(dst)
	end := func() {
		p := dst[start:]
		s.parts = append(s.parts, part{offset: base + int64(start), length: len(p), sum: crc32.Checksum(p, castagnoli)})
		start = len(dst)
	}

	granule := make([]uint64, len(b.pieces))
	first := make([]uint64, len(b.pieces))
	vector := make([]uint64, len(b.pieces))
	for i, p := range b.pieces {
		granule[i], first[i], vector[i] = uint64(p.granule), uint64(p.start), uint64(p.vector)
	}
	for _, values := range [][]uint64{b.series, b.pieceEnd, granule, first, vector, b.granuleRows} {
		dst = block.AppendArray(dst, values)
	}
	end()
	dst = b.times.append(dst)
	end()
	if versioned {
		dst = appendBlobs(dst, &b.versions)
		end()
	}
	for _, i := range b.sorted(fields) {
		f := &b.fields[i]
		if f.pad(s.granules); len(f.data) == 0 {
			continue
		}
		s.fields = append(s.fields, fields[i])
		dst = f.append(dst, fields[i].Type)
		end()
		dst = append(dst, f.data...)
		end()
	}
	return dst, s
}

// sorted gives the places of the fields that the segment has seen, by name and
// type.
func (b *builder) sorted(fields []model.Field) []int {
	order := make([]int, len(b.fields))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int { return compareFields(fields[x], fields[y]) })
	return order
}

// append adds the field's part of offsets and statistics.
func (f *fieldBuilder) append(dst []byte, t model.FieldType) []byte {
	dst = block.AppendArray(dst, f.ends)
	dst = block.AppendArray(dst, f.exact)
	dst = block.AppendArray(dst, f.nulls)
	appendArray := block.AppendArray
	if t == model.Float {
		appendArray = block.AppendFloatArray
	}
	if t == model.String {
		return dst
	}
	for _, values := range [][]uint64{f.first, f.last, f.min, f.max} {
		dst = appendArray(dst, values)
	}
	if t == model.Boolean {
		return dst
	}
	return appendArray(dst, f.sum)
}

// appendBlobs adds offsets and bytes, with the length of the offsets before.
func appendBlobs(dst []byte, b *blobs) []byte {
	offsets := block.AppendArray(nil, b.ends)
	dst = binary.AppendUvarint(dst, uint64(len(offsets)))
	dst = append(dst, offsets...)
	return append(dst, b.data...)
}
