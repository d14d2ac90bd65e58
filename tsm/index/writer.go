package index

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"path"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// tmpSuffix ends the name of a file that is being written.
const tmpSuffix = ".tmp"

// fileWriter writes a file part by part. Once it has failed it does nothing.
type fileWriter struct {
	w     *bufio.Writer
	at    uint64
	sum   uint32 // of the part so far
	start uint64 // of the part
	where [partCount]extent
	err   error
	buf   []byte
}

func newFileWriter(w io.Writer) *fileWriter {
	f := &fileWriter{w: bufio.NewWriterSize(w, 256<<10)}
	header := append([]byte(fileMagic), make([]byte, headerBytes-len(fileMagic))...)
	binary.LittleEndian.PutUint32(header[len(fileMagic):], fileVersion)
	binary.LittleEndian.PutUint32(header[len(fileMagic)+4:], ^uint32(fileVersion))
	f.write(header)
	return f
}

func (f *fileWriter) write(b []byte) {
	if f.err != nil {
		return
	}
	_, f.err = f.w.Write(b)
	f.sum = crc32.Update(f.sum, castagnoli, b)
	f.at += uint64(len(b))
}

// offset gives how far into the part f is.
func (f *fileWriter) offset() uint64 { return f.at - f.start }

var zeros [8]byte

// align adds zeros up to where hashes, slots and bitmaps may begin.
func (f *fileWriter) align() { f.write(zeros[:align(f.at)-f.at]) }

func (f *fileWriter) begin() { f.start, f.sum = f.at, 0 }

func (f *fileWriter) finish(part int) {
	f.where[part] = extent{start: f.start, end: f.at, sum: f.sum}
	f.align()
}

func (f *fileWriter) uint32s(all []uint32) {
	for len(all) > 0 {
		n := min(len(all), 4096)
		f.buf = f.buf[:0]
		for _, v := range all[:n] {
			f.buf = binary.LittleEndian.AppendUint32(f.buf, v)
		}
		f.write(f.buf)
		all = all[n:]
	}
}

func (f *fileWriter) uint64s(all ...uint64) {
	for len(all) > 0 {
		n := min(len(all), 4096)
		f.buf = f.buf[:0]
		for _, v := range all[:n] {
			f.buf = binary.LittleEndian.AppendUint64(f.buf, v)
		}
		f.write(f.buf)
		all = all[n:]
	}
}

func (f *fileWriter) hashes(all []model.SeriesHash) {
	for len(all) > 0 {
		n := min(len(all), 4096)
		f.buf = f.buf[:0]
		for _, h := range all[:n] {
			f.buf = binary.LittleEndian.AppendUint64(f.buf, h.Hi)
			f.buf = binary.LittleEndian.AppendUint64(f.buf, h.Lo)
		}
		f.write(f.buf)
		all = all[n:]
	}
}

func (f *fileWriter) texts(t *textsWriter) {
	if uint64(len(t.text)) > math.MaxUint32 {
		f.err = errors.Join(f.err, errTooMuchText)
	}
	f.uint32s(t.ends)
	f.write(t.text)
}

// bitmap writes b and gives where it lies in the part.
func (f *fileWriter) bitmap(b *roaring.Bitmap) (at, end uint64) {
	b.RunOptimize()
	p, err := b.ToBytes()
	if err != nil {
		panic(fmt.Sprintf("index: encode bitmap: %v", err)) // it writes to memory
	}
	return f.bitmapBytes(p)
}

func (f *fileWriter) bitmapBytes(p []byte) (at, end uint64) {
	f.align()
	at = f.offset()
	f.write(p)
	return at, f.offset()
}

// close writes the footer.
func (f *fileWriter) close(first, count uint32) error {
	footer := binary.LittleEndian.AppendUint32(nil, first)
	footer = binary.LittleEndian.AppendUint32(footer, count)
	for _, e := range f.where {
		footer = binary.LittleEndian.AppendUint64(footer, e.end)
		footer = binary.LittleEndian.AppendUint32(footer, e.sum)
	}
	footer = binary.LittleEndian.AppendUint32(footer, crc32.Checksum(footer, castagnoli))
	f.write(append(footer, fileMagic...))
	if f.err == nil {
		f.err = f.w.Flush()
	}
	return f.err
}

// content is what a file is made of.
type content struct {
	first, count uint32
	hashes       func(yield func([]model.SeriesHash) bool) // in order of id
	keys         func(yield func(key []byte) bool)         // in order of id; a key stays as it is until 64 more were given
	tags         func(w *tagsWriter) error
	err          func() error // why hashes or keys ended early
}

func (c *content) write(w io.Writer) error {
	f := newFileWriter(w)
	f.begin()
	all := make([]model.SeriesHash, 0, c.count)
	for hashes := range c.hashes {
		all = append(all, hashes...)
		f.hashes(hashes)
	}
	f.finish(partHashes)
	if len(all) != int(c.count) {
		return errors.Join(c.err(), fmt.Errorf("%d hashes of %d: %w", len(all), c.count, model.ErrCorrupt))
	}
	f.begin()
	f.uint32s(makeSlots(all, slotCount(len(all))))
	f.finish(partSlots)
	all = nil
	f.begin()
	if n := f.keys(c.keys); n != int(c.count) {
		return errors.Join(c.err(), fmt.Errorf("%d keys of %d: %w", n, c.count, model.ErrCorrupt))
	}
	f.finish(partKeys)
	f.begin()
	t := tagsWriter{f: f, first: c.first}
	if err := c.tags(&t); err != nil {
		return err
	}
	t.finish()
	f.finish(partTags)
	return f.close(c.first, c.count)
}

// keys writes the keys part and gives the number of keys.
func (f *fileWriter) keys(keys func(yield func(key []byte) bool)) (n int) {
	w := newBlockWriter()
	var ends []uint64
	var b []byte
	for key := range keys {
		b = w.append(b, key)
		if n++; n%blockSeries == 0 {
			f.write(b)
			ends, b = append(ends, f.offset()), b[:0]
			w.reset()
		}
	}
	if len(b) > 0 {
		f.write(b)
		ends = append(ends, f.offset())
	}
	f.uint64s(ends...)
	return n
}

// writeFile makes a file durable, whole or not at all, and gives its size.
func writeFile(fsys vfs.FS, name string, c *content) (size int64, err error) {
	out, err := fsys.Create(name + tmpSuffix)
	if err != nil {
		return 0, err
	}
	err = c.write(out)
	if err == nil {
		err = out.Sync()
	}
	if err == nil {
		size, err = out.Size()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = fsys.Rename(name+tmpSuffix, name)
	}
	if err == nil {
		return size, fsys.SyncDir(path.Dir(name))
	}
	if rerr := fsys.Remove(name + tmpSuffix); !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return 0, err
}
