package segment

import (
	"iter"
	"runtime/debug"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// Segment is what the footer says of one segment. It is for tools.
type Segment struct {
	Measurement                     string
	Number                          int // in its measurement, from 0
	Offset, Bytes                   int64
	Rows, Series, Granules, Vectors int
	First, Last                     uint32 // series
	Range                           model.TimeRange
	Fields                          []model.Field // by name and type
	Parts                           []Part

	measurement int
}

// Part is a run of bytes of a segment that has a checksum.
type Part struct {
	Kind   PartKind
	Field  model.Field // of FieldTables and FieldData
	Offset int64
	Bytes  int
	sum    uint32
}

// PartKind says what a part holds; FORMAT.md tells more.
type PartKind string

// The kinds of parts.
const (
	Directory   PartKind = "directory" // which series, which pieces, which granules
	Times       PartKind = "times"
	Versions    PartKind = "versions"
	FieldTables PartKind = "tables" // where blocks are, statistics, code tables
	FieldData   PartKind = "data"   // blocks
)

// Segments gives the segments in the order of the file.
func (r *Reader) Segments() iter.Seq[Segment] {
	return func(yield func(Segment) bool) {
		for i := range r.foot.measurements {
			for k := range r.foot.measurements[i].segments {
				if !yield(r.segment(i, k)) {
					return
				}
			}
		}
	}
}

func (r *Reader) segment(measurement, number int) Segment {
	m := &r.foot.measurements[measurement]
	s := &m.segments[number]
	out := Segment{
		Measurement: m.name, Number: number, Offset: s.offset, Bytes: s.size(),
		Rows: s.rows, Series: s.series, Granules: s.granules, Vectors: s.vectors,
		First: s.first, Last: s.last, Range: s.times, Fields: s.fields,
		measurement: measurement,
	}
	fields := r.firstField()
	for n := range s.parts {
		p := Part{sum: s.parts[n].sum}
		p.Offset, p.Bytes = s.bounds(n)
		switch {
		case n == partDirectory:
			p.Kind = Directory
		case n == partTimes:
			p.Kind = Times
		case n < fields:
			p.Kind = Versions
		default:
			p.Kind, p.Field = FieldTables, s.fields[(n-fields)/2]
			if (n-fields)%2 == 1 {
				p.Kind = FieldData
			}
		}
		out.Parts = append(out.Parts, p)
	}
	return out
}

// Intact reports whether the checksum of a part is right. An error says that it
// cannot be read.
func (r *Reader) Intact(p *Part) (_ bool, err error) {
	defer r.guard(debug.SetPanicOnFault(true), &err)
	return r.intact(p.Offset, p.Bytes, p.sum)
}

// Blocks describes each block of field i of a segment, without decoding values.
func (r *Reader) Blocks(s *Segment, i int, each func(d block.Description, bytes int)) (err error) {
	defer r.guard(debug.SetPanicOnFault(true), &err)
	var v view
	if err := v.load(r, s.measurement, s.Number); err != nil {
		return err
	}
	var f fieldView
	if err := v.loadField(&f, s.Fields[i]); err != nil || f.absent {
		return err
	}
	for g := range s.Granules {
		blob, ok := f.blobs.get(g)
		if !ok {
			return v.corrupt(f.field.Name)
		}
		if len(blob) == 0 {
			continue
		}
		d, err := block.Describe(f.field.Type, int(min(v.granuleRows.Get(g), block.MaxRows)), blob, f.tables, f.table(g))
		if err != nil {
			return v.corrupt(f.field.Name)
		}
		each(d, len(blob))
	}
	return nil
}
