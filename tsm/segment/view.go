package segment

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// view is the tables of one segment, where they lie in the file.
type view struct {
	r           *Reader
	measurement int
	index       int // of the segment in its measurement
	segment     *segment
	ahead       bool // the segment before was loaded until now
	anew        bool // parts are verified whether they were before or not

	series, pieceEnd                      block.Array
	pieceGranule, pieceStart, pieceVector block.Array
	granuleRows                           block.Array
	vectorRows, vectorFirst, vectorLast   block.Array
	vectorRepeats                         block.Array
	vectors                               blobView
	versions                              blobView // read by loadVersions
	versionsLoaded                        bool
}

// blobView is one run of bytes for each of some things.
type blobView struct {
	ends block.Array
	data []byte
}

// get gives run i; ok is false when its bounds make no sense.
func (b *blobView) get(i int) (_ []byte, ok bool) {
	start, end := uint64(0), b.ends.Get(i)
	if i > 0 {
		start = b.ends.Get(i - 1)
	}
	if start > end || end > uint64(len(b.data)) {
		return nil, false
	}
	return b.data[start:end], true
}

// load points v to a segment.
func (v *view) load(r *Reader, measurement, index int) error {
	if v.r == r && v.measurement == measurement && v.index == index && v.segment != nil {
		return nil
	}
	s := &r.foot.measurements[measurement].segments[index]
	ahead := v.r == r && v.measurement == measurement && v.index+1 == index && v.segment != nil
	*v = view{r: r, measurement: measurement, index: index, ahead: ahead, anew: v.anew}
	rest, err := r.part(measurement, index, partDirectory, ahead, v.anew)
	if err == nil {
		rest, err = v.arrays(rest, "directory", []sized{
			{&v.series, s.series},
			{&v.pieceEnd, s.series},
			{&v.pieceGranule, s.pieces},
			{&v.pieceStart, s.pieces},
			{&v.pieceVector, s.pieces},
			{&v.granuleRows, s.granules},
		})
	}
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return v.corrupt("directory")
	}
	rest, err = r.part(measurement, index, partTimes, ahead, v.anew)
	if err == nil {
		rest, err = v.arrays(rest, "times", []sized{
			{&v.vectorRows, s.vectors},
			{&v.vectorFirst, s.vectors},
			{&v.vectorLast, s.vectors},
			{&v.vectorRepeats, s.vectors},
		})
	}
	if err == nil {
		v.vectors, err = v.blobs(rest, s.vectors, "times")
	}
	if err != nil {
		return err
	}
	v.segment = s
	return nil
}

// loadVersions reads the tables of the part that holds versions.
func (v *view) loadVersions() error {
	if v.versionsLoaded {
		return nil
	}
	p, err := v.r.part(v.measurement, v.index, partVersions, v.ahead, v.anew)
	if err != nil {
		return err
	}
	if v.versions, err = v.blobs(p, v.segment.granules, "versions"); err != nil {
		return err
	}
	v.versionsLoaded = true
	return nil
}

// sized is an array to be found and its length.
type sized struct {
	array *block.Array
	n     int
}

// arrays finds arrays that follow one another in p and gives what comes after.
func (v *view) arrays(p []byte, what string, arrays []sized) ([]byte, error) {
	var err error
	for _, a := range arrays {
		if *a.array, p, err = block.ReadArray(p, a.n); err != nil {
			return nil, v.corrupt(what)
		}
	}
	return p, nil
}

// blobs finds what appendBlobs wrote.
func (v *view) blobs(p []byte, n int, what string) (b blobView, err error) {
	length, used := binary.Uvarint(p)
	if used <= 0 || length > uint64(len(p)-used) {
		return blobView{}, v.corrupt(what)
	}
	p = p[used:]
	var rest []byte
	if b.ends, rest, err = block.ReadArray(p[:length], n); err != nil || len(rest) > 0 {
		return blobView{}, v.corrupt(what)
	}
	b.data = p[length:]
	return b, nil
}

// find gives the place of a series, or that of the next one above.
func (v *view) find(series uint32) (int, bool) {
	n := v.segment.series
	i := sort.Search(n, func(i int) bool { return v.series.Get(i) >= uint64(series) })
	return i, i < n && v.series.Get(i) == uint64(series)
}

func (v *view) corrupt(what string) error {
	return fmt.Errorf("measurement %q, segment %d: %s: %w",
		v.r.names[v.measurement], v.index, what, model.ErrCorrupt)
}

// fieldView is the tables of one field in one segment.
type fieldView struct {
	field  model.Field
	absent bool // the segment has no value of the field
	blobs  blobView

	tableOf, nulls, exact block.Array
	summaries             block.Summaries

	tables *block.Tables // its memory is used again; nil for new memory
}

// loadField points f to a field in v's segment.
func (v *view) loadField(f *fieldView, field model.Field) error {
	*f = fieldView{field: field, absent: true, tables: f.tables}
	if f.tables == nil {
		f.tables = new(block.Tables)
	}
	i, ok := slices.BinarySearchFunc(v.segment.fields, field, compareFields)
	if !ok {
		return nil
	}
	if err := v.loadFieldParts(f, v.r.firstField()+2*i); err != nil {
		return err
	}
	f.absent = false
	return nil
}

func (v *view) loadFieldParts(f *fieldView, part int) error {
	tables, err := v.r.part(v.measurement, v.index, part, v.ahead, v.anew)
	if err != nil {
		return err
	}
	n := v.segment.granules
	rest, err := v.arrays(tables, f.field.Name, []sized{{&f.blobs.ends, n}, {&f.tableOf, n}, {&f.nulls, n}})
	if err != nil {
		return err
	}
	if f.field.Type != model.String {
		if f.summaries, rest, err = block.ReadSummaries(rest, f.field.Type, n); err != nil {
			return v.corrupt(f.field.Name)
		}
	}
	if rest, err = v.arrays(rest, f.field.Name, []sized{{&f.exact, n}}); err != nil {
		return err
	}
	if err := f.tables.Reset(rest); err != nil {
		return v.corrupt(f.field.Name)
	}
	f.blobs.data, err = v.r.part(v.measurement, v.index, part+1, v.ahead, v.anew)
	return err
}

// stats gives what is kept of granule g.
func (f *fieldView) stats(g, rows int) (s model.Stats, exact bool) {
	if f.exact.Get(g) == 0 {
		return s, false
	}
	nulls := f.nulls.Get(g)
	if nulls > uint64(rows) {
		return s, false
	}
	s.Count = rows - int(nulls)
	if f.field.Type == model.String {
		return s, true
	}
	return f.summaries.Get(g, s.Count), true
}

// table gives the number of the code table of granule g's block.
func (f *fieldView) table(g int) int { return int(min(f.tableOf.Get(g), block.MaxTables+1)) }
