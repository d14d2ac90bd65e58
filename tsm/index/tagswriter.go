package index

import "github.com/RoaringBitmap/roaring/v2"

// tagsWriter writes the tags part: measurements in order; of each its keys in
// order; of each its values in order. A key is held in memory until it ends,
// without its bitmaps.
type tagsWriter struct {
	f     *fileWriter
	first uint32

	names   textsWriter
	records []uint64

	series   [2]uint64 // of the measurement: where its bitmap lies
	keys     textsWriter
	sections []uint64

	has      [2]uint64 // of the key
	values   textsWriter
	postings []uint32
	base     uint64
	bitmaps  []uint64
}

func (w *tagsWriter) measurement(name []byte, series *roaring.Bitmap) {
	w.names.add(name)
	w.series[0], w.series[1] = w.f.bitmap(series)
	w.keys.reset()
	w.sections = w.sections[:0]
}

func (w *tagsWriter) key(name []byte, has *roaring.Bitmap) {
	w.keys.add(name)
	w.has[0], w.has[1] = w.f.bitmap(has)
	w.f.align()
	w.base = w.f.offset()
	w.values.reset()
	w.postings, w.bitmaps = w.postings[:0], w.bitmaps[:0]
}

// one adds a value that a single series has.
func (w *tagsWriter) one(value []byte, series uint32) {
	w.values.add(value)
	w.postings = append(w.postings, series-w.first)
}

func (w *tagsWriter) many(value []byte, series *roaring.Bitmap) {
	_, end := w.f.bitmap(series)
	w.bitmap(value, end)
}

// raw is many with a bitmap in binary form.
func (w *tagsWriter) raw(value, series []byte) {
	_, end := w.f.bitmapBytes(series)
	w.bitmap(value, end)
}

func (w *tagsWriter) bitmap(value []byte, end uint64) {
	w.values.add(value)
	w.postings = append(w.postings, manySeries|uint32(len(w.bitmaps)))
	w.bitmaps = append(w.bitmaps, end)
}

func (w *tagsWriter) endKey() {
	w.sections = append(w.sections, w.f.offset())
	w.extent(w.has)
	w.f.uint32s([]uint32{uint32(len(w.postings)), uint32(len(w.bitmaps))})
	w.f.uint64s(w.base)
	w.f.uint64s(w.bitmaps...)
	w.f.uint32s(w.postings)
	w.f.texts(&w.values)
}

func (w *tagsWriter) endMeasurement() {
	w.records = append(w.records, w.f.offset())
	w.extent(w.series)
	w.f.uint32s([]uint32{uint32(len(w.sections))})
	w.f.uint64s(w.sections...)
	w.f.texts(&w.keys)
}

func (w *tagsWriter) extent(e [2]uint64) {
	w.f.uint64s(e[0])
	w.f.uint32s([]uint32{uint32(e[1] - e[0])})
}

func (w *tagsWriter) finish() {
	root := w.f.offset()
	w.f.uint32s([]uint32{uint32(len(w.records))})
	w.f.uint64s(w.records...)
	w.f.texts(&w.names)
	w.f.uint64s(root)
}
