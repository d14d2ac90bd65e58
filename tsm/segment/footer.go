package segment

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

const (
	headMagic   = "VARVESEG"
	tailMagic   = "VARVEEND"
	format      = 2
	trailerSize = 4 + 4 + 4 + len(tailMagic)

	minPart    = 1 + 4          // bytes of a part in the footer, at least
	minSegment = 10 + 2*minPart // of a segment

	flagVersioned = 1
	flagCovered   = 2
)

// footer is what Open reads: which segments the file has and where their parts
// are.
type footer struct {
	meta         Meta
	covered      bool
	versions     []model.Version
	measurements []measurement
}

type measurement struct {
	name     string
	fields   []model.Field // by name and type
	times    model.TimeRange
	segments []segment // in order of series; neighbours may share a series
}

// segment is where a run of series of one measurement lies.
type segment struct {
	offset                                  int64
	rows, series, pieces, granules, vectors int
	first, last                             uint32 // series
	times                                   model.TimeRange
	fields                                  []model.Field // by name and type
	parts                                   []part
	firstPart                               int // in Reader.state
}

// add notes a segment written after all others.
func (f *footer) add(name string, s segment) {
	if n := len(f.measurements); n == 0 || f.measurements[n-1].name != name {
		f.measurements = append(f.measurements, measurement{name: name, times: noTimes})
	}
	m := &f.measurements[len(f.measurements)-1]
	m.segments = append(m.segments, s)
	m.times = m.times.Union(s.times)
	for _, field := range s.fields {
		if i, ok := slices.BinarySearchFunc(m.fields, field, compareFields); !ok {
			m.fields = slices.Insert(m.fields, i, field)
		}
	}
	f.meta.Rows += int64(s.rows)
	f.meta.Range = f.meta.Range.Union(s.times)
}

func compareFields(a, b model.Field) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
}

// append adds the footer and the trailer that finds it.
func (f *footer) append(dst []byte) []byte {
	start := len(dst)
	flags := uint64(0)
	if f.meta.Versioned {
		flags |= flagVersioned
	}
	if f.covered {
		flags |= flagCovered
	}
	dst = binary.AppendUvarint(dst, flags)
	dst = appendVersion(dst, f.meta.MinVersion)
	dst = appendVersion(dst, f.meta.MaxVersion)
	dst = binary.AppendUvarint(dst, uint64(f.meta.Series))
	dst = appendVersions(dst, f.versions)
	dst = binary.AppendUvarint(dst, uint64(len(f.measurements)))
	for i := range f.measurements {
		dst = f.measurements[i].append(dst)
	}
	body := dst[start:]
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(body)))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(body, castagnoli))
	dst = binary.LittleEndian.AppendUint32(dst, format)
	return append(dst, tailMagic...)
}

func appendVersion(dst []byte, v model.Version) []byte {
	for _, n := range [...]uint64{uint64(v.HLC), v.ID.Origin, v.ID.Epoch, v.ID.Seq} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func appendVersions(dst []byte, versions []model.Version) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(versions)))
	column := make([]uint64, len(versions))
	for _, part := range versionParts {
		for i := range versions {
			column[i] = *part(&versions[i])
		}
		dst = block.AppendArray(dst, column)
	}
	return dst
}

// versionParts gives the numbers that a version is made of.
var versionParts = [...]func(v *model.Version) *uint64{
	func(v *model.Version) *uint64 { return (*uint64)(&v.HLC) },
	func(v *model.Version) *uint64 { return &v.ID.Origin },
	func(v *model.Version) *uint64 { return &v.ID.Epoch },
	func(v *model.Version) *uint64 { return &v.ID.Seq },
}

func (m *measurement) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(m.name)))
	dst = append(dst, m.name...)
	dst = binary.AppendUvarint(dst, uint64(len(m.fields)))
	for _, f := range m.fields {
		dst = append(dst, byte(f.Type))
		dst = binary.AppendUvarint(dst, uint64(len(f.Name)))
		dst = append(dst, f.Name...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.segments)))
	for i := range m.segments {
		dst = m.segments[i].append(dst, m.fields)
	}
	return dst
}

func (s *segment) append(dst []byte, fields []model.Field) []byte {
	for _, n := range [...]int{s.rows, s.series, s.pieces, s.granules, s.vectors, int(s.first), int(s.last - s.first)} {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	dst = binary.AppendVarint(dst, s.times.Min)
	dst = binary.AppendUvarint(dst, uint64(s.times.Max)-uint64(s.times.Min))
	dst = binary.AppendUvarint(dst, uint64(len(s.fields)))
	for _, f := range s.fields {
		i, _ := slices.BinarySearchFunc(fields, f, compareFields)
		dst = binary.AppendUvarint(dst, uint64(i))
	}
	for i := range s.parts {
		_, length := s.bounds(i)
		dst = binary.AppendUvarint(dst, uint64(length))
		dst = binary.LittleEndian.AppendUint32(dst, s.parts[i].sum)
	}
	return dst
}

// parser takes a footer apart. After bytes that are missing or out of bounds
// it gives zeros and keeps the first error.
type parser struct {
	p   []byte
	err error
}

func (r *parser) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("footer: %s: %w", what, model.ErrCorrupt)
	}
	r.p = nil
}

func (r *parser) uvarint(what string) uint64 {
	v, n := binary.Uvarint(r.p)
	if n <= 0 {
		r.fail(what)
		return 0
	}
	r.p = r.p[n:]
	return v
}

// count reads a number of at most limit.
func (r *parser) count(what string, limit uint64) int {
	n := r.uvarint(what)
	if n > limit {
		r.fail(what)
		return 0
	}
	return int(n)
}

// items reads a number of things that each take a byte at least.
func (r *parser) items(what string) int { return r.count(what, uint64(len(r.p))) }

func (r *parser) take(what string, n int) []byte {
	if n > len(r.p) {
		r.fail(what)
		return nil
	}
	b := r.p[:n]
	r.p = r.p[n:]
	return b
}

func (r *parser) text(what string) string { return string(r.take(what, r.items(what))) }

// readFooter finds and checks the footer of a file.
func readFooter(c *content) (*footer, error) {
	corrupt := func(what string) error { return fmt.Errorf("segment file: %s: %w", what, model.ErrCorrupt) }
	trailerAt := c.size - int64(trailerSize)
	if trailerAt < int64(len(headMagic)) {
		return nil, corrupt("not one, or cut short")
	}
	head, err := c.bytes(0, len(headMagic))
	if err != nil {
		return nil, err
	}
	if string(head) != headMagic {
		return nil, corrupt("not one, or cut short")
	}
	trailer, err := c.bytes(trailerAt, trailerSize)
	if err != nil {
		return nil, err
	}
	if string(trailer[12:]) != tailMagic {
		return nil, corrupt("cut short")
	}
	if v := binary.LittleEndian.Uint32(trailer[8:]); v != format {
		return nil, fmt.Errorf("segment file of format %d, this program reads %d: %w", v, format, model.ErrNotSupported)
	}
	length := int64(binary.LittleEndian.Uint32(trailer))
	end := trailerAt - length
	if length > math.MaxInt32 || end < int64(len(headMagic)) {
		return nil, corrupt("length of the footer")
	}
	body, err := c.bytes(end, int(length))
	if err != nil {
		return nil, err
	}
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(trailer[4:]) {
		return nil, corrupt("checksum of the footer")
	}
	r := &parser{p: body}
	f := r.footer(end)
	if r.err == nil && len(r.p) > 0 {
		r.fail("bytes left over")
	}
	if r.err != nil {
		return nil, r.err
	}
	f.meta.Size = c.size
	return f, nil
}

// footer reads a footer that stands at end.
func (r *parser) footer(end int64) *footer {
	f := &footer{}
	flags := r.count("flags", flagVersioned|flagCovered)
	f.covered = flags&flagCovered != 0
	f.meta = Meta{Range: noTimes, Versioned: flags&flagVersioned != 0}
	f.meta.MinVersion = r.version()
	f.meta.MaxVersion = r.version()
	f.meta.Series = int64(r.count("series", math.MaxInt64))
	f.versions = r.versions()
	at := int64(len(headMagic))
	for n := r.items("measurements"); n > 0 && r.err == nil; n-- {
		m := r.measurement(f.meta.Versioned, &at, end)
		if k := len(f.measurements); k > 0 && m.name <= f.measurements[k-1].name {
			r.fail("order of measurements")
		}
		for i := range m.segments {
			f.meta.Rows += int64(m.segments[i].rows)
		}
		f.meta.Range = f.meta.Range.Union(m.times)
		f.measurements = append(f.measurements, m)
	}
	if at != end {
		r.fail("bytes that belong to no part")
	}
	return f
}

func (r *parser) version() (v model.Version) {
	for _, part := range versionParts {
		*part(&v) = r.uvarint("version")
	}
	return v
}

func (r *parser) versions() []model.Version {
	n := r.count("number of versions", maxVersions)
	var columns [len(versionParts)]block.Array
	for i := range columns {
		a, rest, err := block.ReadArray(r.p, n)
		if err != nil {
			r.fail("versions")
			return nil
		}
		columns[i], r.p = a, rest
	}
	if n == 0 {
		return nil
	}
	versions := make([]model.Version, n)
	for i, part := range versionParts {
		for k := range versions {
			*part(&versions[k]) = columns[i].Get(k)
		}
	}
	return versions
}

func (r *parser) measurement(versioned bool, at *int64, end int64) measurement {
	m := measurement{name: r.text("name of a measurement"), times: noTimes}
	for n := r.items("fields"); n > 0 && r.err == nil; n-- {
		var f model.Field
		if t := r.take("type of a field", 1); len(t) == 1 {
			f.Type = model.FieldType(t[0])
		}
		f.Name = r.text("name of a field")
		if k := len(m.fields); !f.Type.Valid() || k > 0 && compareFields(m.fields[k-1], f) >= 0 {
			r.fail("fields of a measurement")
		}
		m.fields = append(m.fields, f)
	}
	n := r.items("segments")
	m.segments = make([]segment, 0, min(n, len(r.p)/minSegment))
	for ; n > 0 && r.err == nil; n-- {
		s := r.segment(m.fields, versioned, at, end)
		if k := len(m.segments); k > 0 && s.first < m.segments[k-1].last {
			r.fail("order of segments")
		}
		m.times = m.times.Union(s.times)
		m.segments = append(m.segments, s)
	}
	return m
}

func (r *parser) segment(fields []model.Field, versioned bool, at *int64, end int64) segment {
	s := segment{offset: *at}
	s.rows = r.count("rows", 2*maxSegmentRows)
	s.series = r.count("series", uint64(s.rows))
	s.pieces = r.count("pieces", uint64(s.rows))
	s.granules = r.count("granules", uint64(s.pieces))
	s.vectors = r.count("time vectors", uint64(s.pieces))
	s.first = uint32(r.count("first series", math.MaxUint32))
	s.last = s.first + uint32(r.count("last series", uint64(math.MaxUint32-s.first)))
	s.times.Min = r.zigzag("times")
	s.times.Max = int64(uint64(s.times.Min) + r.uvarint("times"))
	if s.series == 0 || s.series > s.pieces || s.granules == 0 || s.vectors == 0 || s.times.Empty() {
		r.fail("size of a segment")
	}
	s.fields = r.fieldsOf(fields)
	parts := partVersions + 2*len(s.fields)
	if versioned {
		parts++
	}
	if r.err != nil || parts > len(r.p)/minPart {
		r.fail("parts of a segment")
		return s
	}
	s.parts = make([]part, parts)
	for i := range s.parts {
		*at += int64(r.count("length of a part", uint64(min(end-*at, math.MaxUint32))))
		if *at-s.offset > math.MaxUint32 {
			r.fail("length of a segment")
		}
		s.parts[i].end = uint32(*at - s.offset)
		if sum := r.take("checksum of a part", 4); len(sum) == 4 {
			s.parts[i].sum = binary.LittleEndian.Uint32(sum)
		}
	}
	return s
}

// fieldsOf reads which fields of a measurement a segment has; mostly all.
func (r *parser) fieldsOf(all []model.Field) []model.Field {
	n := r.count("fields of a segment", uint64(len(all)))
	var some []model.Field
	if n < len(all) {
		some = make([]model.Field, 0, n)
	}
	for k, prev := 0, -1; k < n && r.err == nil; k++ {
		i := r.count("field of a segment", uint64(len(all)))
		if i <= prev || i >= len(all) {
			r.fail("order of the fields of a segment")
			break
		}
		if n < len(all) {
			some = append(some, all[i])
		}
		prev = i
	}
	if n < len(all) {
		return some
	}
	return all // n of n in order are these
}

func (r *parser) zigzag(what string) int64 {
	u := r.uvarint(what)
	return int64(u>>1) ^ -int64(u&1)
}
