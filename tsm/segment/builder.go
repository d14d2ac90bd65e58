package segment

import (
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// castagnoli is the polynomial that processors know.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// builder gathers the granules of one segment, field by field, and then lays
// them out as the parts of the file. Blocks are encoded last, when all that
// may share a code table is known.
type builder struct {
	enc    block.Encoder
	effort block.Effort

	series   []uint64
	pieceEnd []uint64 // per series: where its pieces end
	pieces   []piece

	granuleRows []uint64
	times       vectors
	versions    blobs
	fields      []fieldBuilder // as the fields of the measurement

	rows   int
	cells  int // rows times fields
	blocks int // about the bytes of the fields' blocks
	span   model.TimeRange
	part   column // scratch
	column []uint64
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

func (b *blobs) end() { b.ends = append(b.ends, uint64(len(b.data))) }

func (b *builder) empty() bool { return b.rows == 0 }

// size gives about the encoded bytes so far, without what is kept per granule.
func (b *builder) size() int { return len(b.times.data) + len(b.versions.data) + b.blocks }

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
func (b *builder) piece(start int, vector uint32) int {
	b.pieces = append(b.pieces, piece{start: uint32(start), vector: vector})
	b.pieceEnd[len(b.pieceEnd)-1] = uint64(len(b.pieces))
	b.span = b.span.Union(b.times.span(vector))
	return len(b.pieces) - 1
}

// vector gives the number of the vector of times.
func (b *builder) vector(times []int64) uint32 { return b.times.add(&b.enc, times) }

// field makes room for the field of a measurement that has place i there.
func (b *builder) field(i int, t model.FieldType) {
	if i < cap(b.fields) {
		b.fields = b.fields[:i+1] // with the memory of another measurement's field
	} else {
		b.fields = append(b.fields, fieldBuilder{})
	}
	b.fields[i].group.Share(&b.enc)
	b.fields[i].reset(t, b.effort)
}

// granule adds the rows from to to-1 of rows and gives the granule's number.
// When alone is set they are all of one series and have distinct times, so
// their statistics say something.
func (b *builder) granule(rows *buffer, from, to int, alone bool) uint32 {
	g := len(b.granuleRows)
	if len(rows.versions) > 0 {
		b.addVersions(rows.versions[from:to])
	}
	for i := range b.fields {
		b.part.part(&rows.columns[i].Column, from, to)
		b.fields[i].add(g, &b.part.Column, alone)
	}
	b.added(to - from)
	return uint32(g)
}

func (b *builder) addVersions(numbers []int64) {
	b.versions.data = b.enc.AppendInts(b.versions.data, numbers)
	b.versions.end()
}

// added counts a granule that all fields have.
func (b *builder) added(rows int) {
	b.granuleRows = append(b.granuleRows, uint64(rows))
	b.rows += rows
	b.cells += rows * len(b.fields)
	b.blocks = 0
	for i := range b.fields {
		b.blocks += b.fields[i].group.Size()
	}
}

func (b *builder) reset() {
	b.series, b.pieceEnd, b.pieces = b.series[:0], b.pieceEnd[:0], b.pieces[:0]
	b.granuleRows = b.granuleRows[:0]
	b.times.reset()
	b.versions.reset()
	for i := range b.fields {
		b.fields[i].reset(b.fields[i].typ, b.effort)
	}
	b.rows, b.cells, b.blocks = 0, 0, 0
	b.span = noTimes
}

// layout gives the parts of the segment in dst's memory and describes them;
// offset is where they will be in the file. fields are those of the
// measurement so far. The builder is to be reset next.
func (b *builder) layout(dst []byte, offset int64, fields []model.Field, versioned bool) ([]byte, segment) {
	s := segment{
		offset:   offset,
		rows:     b.rows,
		series:   len(b.series),
		pieces:   len(b.pieces),
		granules: len(b.granuleRows),
		vectors:  len(b.times.rows),
		first:    uint32(b.series[0]),
		last:     uint32(b.series[len(b.series)-1]),
		times:    b.span,
	}
	start := 0
	dst = dst[:0]
	end := func() {
		s.parts = append(s.parts, part{end: uint32(len(dst)), sum: crc32.Checksum(dst[start:], castagnoli)})
		start = len(dst)
	}

	dst = block.AppendArray(dst, b.series)
	dst = block.AppendArray(dst, b.pieceEnd)
	for _, number := range [...]func(p *piece) uint32{
		func(p *piece) uint32 { return p.granule },
		func(p *piece) uint32 { return p.start },
		func(p *piece) uint32 { return p.vector },
	} {
		b.column = b.column[:0]
		for i := range b.pieces {
			b.column = append(b.column, uint64(number(&b.pieces[i])))
		}
		dst = block.AppendArray(dst, b.column)
	}
	dst = block.AppendArray(dst, b.granuleRows)
	end()
	dst = b.times.append(dst)
	end()
	if versioned {
		dst = appendBlobs(dst, &b.versions)
		end()
	}
	for _, i := range b.sorted(fields) {
		f := &b.fields[i]
		if f.group.Len() == 0 {
			continue
		}
		s.fields = append(s.fields, fields[i])
		f.pad(s.granules)
		blocks := f.finish()
		dst = f.append(dst)
		end()
		dst = append(dst, blocks...)
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

// appendBlobs adds offsets and bytes, with the length of the offsets before.
func appendBlobs(dst []byte, b *blobs) []byte {
	offsets := block.AppendArray(nil, b.ends)
	dst = binary.AppendUvarint(dst, uint64(len(offsets)))
	dst = append(dst, offsets...)
	return append(dst, b.data...)
}
