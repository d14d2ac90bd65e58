package index

import (
	"encoding/binary"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
)

// tagsPart is the part of a file with its measurements, tag keys, values, and
// the series of each. FORMAT.md says how it lies. Whatever it says, methods stay
// inside of it; their errors are of kind model.ErrCorrupt.
type tagsPart struct {
	b          []byte
	first, end uint32
	names      texts  // measurements
	records    []byte // 8 bytes each: where they are
}

// tagsRecord is a measurement of a part.
type tagsRecord struct {
	part     *tagsPart
	series   []byte // bitmap
	keys     texts
	sections []byte // 8 bytes each: where they are
}

// tagsSection is a tag key of a measurement: its values with their series.
type tagsSection struct {
	part     *tagsPart
	has      []byte // bitmap: series with the key
	values   texts
	postings []byte // 4 bytes each
	base     uint64 // where the first bitmap begins
	bitmaps  []byte // 8 bytes each: where they end
}

// A posting is the number of the only series in the file that has the value,
// or, with this bit, the number of a bitmap of the section.
const manySeries = 1 << 31

func badTags(format string, args ...any) error {
	return fmt.Errorf("tags: %s: %w", fmt.Sprintf(format, args...), model.ErrCorrupt)
}

func newTagsPart(b []byte, first, end uint32) (tagsPart, error) {
	p := tagsPart{b: b, first: first, end: end}
	if len(b) < 8 {
		return p, badTags("%d bytes", len(b))
	}
	r := reader{b: b[:len(b)-8]}
	r.seek(binary.LittleEndian.Uint64(b[len(b)-8:]))
	n := r.uint32()
	p.records = r.take(8 * uint64(n))
	p.names = r.texts(n)
	if r.bad {
		return p, badTags("root is cut off")
	}
	if n == 0 && first < end {
		return p, badTags("no measurement has the %d series", end-first) // a hole in the file reads so
	}
	return p, nil
}

func (p *tagsPart) measurement(i int) (m tagsRecord, err error) {
	r := reader{b: p.b}
	r.seek(binary.LittleEndian.Uint64(p.records[8*i:]))
	m = tagsRecord{part: p}
	m.series = r.bitmap(p.b)
	n := r.uint32()
	m.sections = r.take(8 * uint64(n))
	m.keys = r.texts(n)
	if r.bad {
		return m, badTags("measurement %q is cut off", p.names.at(i))
	}
	return m, nil
}

func (m *tagsRecord) key(i int) (s tagsSection, err error) {
	r := reader{b: m.part.b}
	r.seek(binary.LittleEndian.Uint64(m.sections[8*i:]))
	s = tagsSection{part: m.part}
	s.has = r.bitmap(m.part.b)
	n, bitmaps := r.uint32(), r.uint32()
	s.base = r.uint64()
	s.bitmaps = r.take(8 * uint64(bitmaps))
	s.postings = r.take(4 * uint64(n))
	s.values = r.texts(n)
	if r.bad {
		return s, badTags("key %q is cut off", m.keys.at(i))
	}
	if n == 0 {
		return s, badTags("key %q has no values", m.keys.at(i))
	}
	return s, nil
}

// posting gives the series of a value: one, or a bitmap as it lies.
func (s *tagsSection) posting(i int) (one uint32, many []byte, err error) {
	v := binary.LittleEndian.Uint32(s.postings[4*i:])
	if v&manySeries == 0 {
		if v >= s.part.end-s.part.first {
			return 0, nil, badTags("series %d of %d", v, s.part.end-s.part.first)
		}
		return s.part.first + v, nil, nil
	}
	n := uint64(v &^ manySeries)
	if n >= uint64(len(s.bitmaps)/8) {
		return 0, nil, badTags("bitmap %d of %d", n, len(s.bitmaps)/8)
	}
	start, end := s.base, binary.LittleEndian.Uint64(s.bitmaps[8*n:])
	if n > 0 {
		start = align(binary.LittleEndian.Uint64(s.bitmaps[8*n-8:]))
	}
	if start >= end || end > uint64(len(s.part.b)) {
		return 0, nil, badTags("bitmap %d: bytes %d to %d", n, start, end)
	}
	return 0, s.part.b[start:end], nil
}

// view gives a bitmap as it lies. What is made of it may refer to these bytes
// until CloneCopyOnWriteContainers.
func (p *tagsPart) view(b []byte) (*roaring.Bitmap, error) {
	bm := roaring.New()
	used, err := bm.FromBuffer(b)
	if err == nil {
		err = bm.Validate()
	}
	if err != nil {
		return nil, badTags("bitmap: %v", err)
	}
	if used != int64(len(b)) || bm.IsEmpty() || bm.Minimum() < p.first || bm.Maximum() >= p.end {
		return nil, badTags("bitmap has series beyond %d to %d", p.first, p.end)
	}
	return bm, nil
}

// reader takes fixed parts off bytes. bad is set once they do not suffice.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) seek(at uint64) { _, r.b, _ = r.cut(at) }

func (r *reader) cut(n uint64) (head, tail []byte, ok bool) {
	head, tail, ok = cut(r.b, n)
	r.bad = r.bad || !ok
	return head, tail, ok
}

func (r *reader) take(n uint64) (b []byte) {
	b, r.b, _ = r.cut(n)
	return b
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// texts takes n strings.
func (r *reader) texts(n uint32) (t texts) {
	t.ends = r.take(4 * uint64(n))
	if n > 0 && !r.bad {
		t.text = r.take(uint64(binary.LittleEndian.Uint32(t.ends[len(t.ends)-4:])))
	}
	return t
}

// bitmap takes where a bitmap of part begins and how long it is.
func (r *reader) bitmap(part []byte) []byte {
	at := r.uint64()
	n := r.uint32()
	_, rest, ok := cut(part, at)
	if !ok || uint64(n) > uint64(len(rest)) {
		r.bad = true
		return nil
	}
	return rest[:n]
}
