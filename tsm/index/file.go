package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// The parts of a file; FORMAT.md shows an example.
const (
	fileMagic   = "VARVEIDX"
	fileVersion = 2
	headerBytes = len(fileMagic) + 4 + 4 // the version, and its complement
	hashBytes   = 16
	footerBytes = 4 + 4 + partCount*(8+4) + 4 + len(fileMagic)
)

// The kinds of parts, in the order in which they lie.
const (
	partHashes = iota // of the series, in order of id
	partSlots         // the table that finds them
	partKeys
	partTags
	partCount
)

var partNames = [partCount]string{"hashes", "slots", "keys", "tags"}

// MaxFileSeries bounds the series of a file, and with them what merging files
// takes of memory.
const MaxFileSeries = 4 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// File is an index file, read where it lies. A part is verified when it is
// touched first; one that is damaged is derived from the others, into memory.
type File struct {
	first, end uint32
	name       string
	hash       func(key []byte) model.SeriesHash // nil: not known
	data       []byte                            // mapped
	mapping    *vfs.Mapping
	refs       atomic.Int64
	derived    atomic.Bool // a part is damaged and was derived from others
	where      [partCount]extent

	parts [partCount]atomic.Pointer[[]byte] // verified
	table atomic.Pointer[table]             // of verified parts
	most  atomic.Int64                      // values of one tag key, plus one; 0: not counted yet
	mu    struct {
		sync.Mutex       // held while parts are verified
		err        error // a part is damaged and cannot be derived
		bad        [partCount]bool
	}
	damage atomic.Pointer[error] // as mu.err
}

// extent is where a part lies.
type extent struct {
	start, end uint64
	sum        uint32
}

// OpenFile opens the file with the series from first to before end. A damaged
// frame is of kind model.ErrCorrupt; parts are not looked at. hash, which may be
// nil, makes the hash of a key.
func OpenFile(fsys vfs.FS, name string, first, end uint32, hash func(key []byte) model.SeriesHash) (*File, error) {
	f, err := openFile(fsys, name, hash)
	if err == nil && (f.first != first || f.end != end) {
		err = fmt.Errorf("series %d to %d instead of %d to %d: %w", f.first, f.end, first, end, model.ErrCorrupt)
		err = errors.Join(err, f.release())
	}
	if err != nil {
		return nil, fmt.Errorf("open index %s: %w", path.Base(name), err)
	}
	return f, nil
}

func openFile(fsys vfs.FS, name string, hash func(key []byte) model.SeriesHash) (f *File, err error) {
	r, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", model.ErrCorrupt, err)
	}
	if err != nil {
		return nil, err
	}
	m, err := vfs.Map(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	f = &File{name: path.Base(name), hash: hash, data: m.Bytes(), mapping: m}
	f.refs.Store(1)
	if err := f.readFrame(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return f, nil
}

// readFrame reads header and footer.
func (f *File) readFrame() (err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	b := f.data
	if len(b) < headerBytes+footerBytes || string(b[:len(fileMagic)]) != fileMagic {
		return fmt.Errorf("not an index file: %w", model.ErrCorrupt)
	}
	v, not := binary.LittleEndian.Uint32(b[len(fileMagic):]), binary.LittleEndian.Uint32(b[len(fileMagic)+4:])
	if v != fileVersion && (v == 1 || v == ^not) {
		return fmt.Errorf("index format %d: this program reads format %d: %w", v, fileVersion, model.ErrNotSupported)
	}
	if v != fileVersion || v != ^not {
		return fmt.Errorf("header: format %d or %d: %w", v, ^not, model.ErrCorrupt)
	}
	footer := b[len(b)-footerBytes:]
	sum := binary.LittleEndian.Uint32(footer[footerBytes-len(fileMagic)-4:])
	if string(footer[footerBytes-len(fileMagic):]) != fileMagic || crc32.Checksum(footer[:footerBytes-len(fileMagic)-4], castagnoli) != sum {
		return fmt.Errorf("footer: checksum mismatch: %w", model.ErrCorrupt)
	}
	f.first = binary.LittleEndian.Uint32(footer)
	count := binary.LittleEndian.Uint32(footer[4:])
	f.end = f.first + count
	if count == 0 || count > MaxFileSeries || f.end < f.first {
		return fmt.Errorf("%d series from %d on: %w", count, f.first, model.ErrCorrupt)
	}
	at := uint64(headerBytes)
	for i := range f.where {
		e := extent{start: at, end: binary.LittleEndian.Uint64(footer[8+12*i:]), sum: binary.LittleEndian.Uint32(footer[16+12*i:])}
		if e.end < e.start || e.end > uint64(len(b)-footerBytes) {
			return fmt.Errorf("%s: bytes %d to %d of %d: %w", partNames[i], e.start, e.end, len(b), model.ErrCorrupt)
		}
		f.where[i] = e
		at = align(e.end)
	}
	if at != uint64(len(b)-footerBytes) {
		return fmt.Errorf("%d bytes instead of %d: %w", len(b), at+uint64(footerBytes), model.ErrCorrupt)
	}
	return nil
}

// align gives the next multiple of 8: where hashes and slots can be read as they lie.
func align(n uint64) uint64 { return (n + 7) &^ 7 }

func (f *File) hold() { f.refs.Add(1) }

func (f *File) release() error {
	if f.refs.Add(-1) > 0 {
		return nil
	}
	return f.mapping.Close()
}

// Close gives back an open file that no Index was given.
func (f *File) Close() error { return f.release() }

func (f *File) count() int { return int(f.end - f.first) }

// part gives a part that was verified. Errors are of kind model.ErrCorrupt.
func (f *File) part(i int) ([]byte, error) {
	if p := f.parts[i].Load(); p != nil {
		return *p, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.verifyLocked(i)
}

func (f *File) verifyLocked(i int) ([]byte, error) {
	if p := f.parts[i].Load(); p != nil {
		return *p, nil
	}
	if f.mu.err != nil {
		return nil, f.mu.err
	}
	b := f.data[f.where[i].start:f.where[i].end]
	err := f.sound(i, b)
	if err != nil && !f.mu.bad[i] {
		f.mu.bad[i] = true
		if b = f.deriveLocked(i); b != nil {
			err = nil
			f.derived.Store(true)
		}
	}
	if err != nil {
		if f.mu.err == nil {
			f.mu.err = f.failed(fmt.Errorf("%s: %w", partNames[i], err))
			f.damage.Store(&f.mu.err)
		}
		return nil, f.mu.err
	}
	f.parts[i].Store(&b)
	return b, nil
}

func (f *File) failed(err error) error {
	return fmt.Errorf("index file %s is damaged: %w", f.name, err)
}

// fail notes damage that was met in using a part.
func (f *File) fail(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failLocked(err)
}

func (f *File) failLocked(err error) error {
	if f.mu.err == nil {
		f.mu.err = f.failed(err)
		f.damage.Store(&f.mu.err)
	}
	return f.mu.err
}

// err says why the file cannot be read; nil is that it can as far as known.
func (f *File) err() error {
	if err := f.damage.Load(); err != nil {
		return *err
	}
	return nil
}

// Verify reports what is wrong with the file as it lies.
func (f *File) Verify() error {
	for i, e := range f.where {
		if err := f.sound(i, f.data[e.start:e.end]); err != nil {
			return f.failed(fmt.Errorf("%s: %w", partNames[i], err))
		}
	}
	return nil
}

// Derived reports whether a part of the file is damaged and was derived from
// others: the file should be written anew.
func (f *File) Derived() bool { return f.derived.Load() }

// sound reports what is wrong with a part as it lies in the file.
func (f *File) sound(i int, b []byte) (err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	if crc32.Checksum(b, castagnoli) != f.where[i].sum {
		return fmt.Errorf("checksum mismatch: %w", model.ErrCorrupt)
	}
	size := len(b)
	switch i {
	case partHashes:
		size = hashBytes * f.count()
	case partSlots:
		size = 4 * slotCount(f.count())
	}
	if len(b) != size {
		return fmt.Errorf("%d bytes instead of %d: %w", len(b), size, model.ErrCorrupt)
	}
	return nil
}

// lookup gives the table of the hashes.
func (f *File) lookup() (*table, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	if t := f.table.Load(); t != nil {
		return t, nil
	}
	// Both parts at once: a check may replace them.
	f.mu.Lock()
	defer f.mu.Unlock()
	hashes, err := f.verifyLocked(partHashes)
	if err != nil {
		return nil, err
	}
	slots, err := f.verifyLocked(partSlots)
	if err != nil {
		return nil, err
	}
	t := &table{slots: slotsOf(slots), hashes: hashesOf(hashes)}
	if !t.valid() {
		return nil, f.failLocked(fmt.Errorf("slots name series that are not there: %w", model.ErrCorrupt))
	}
	f.table.Store(t)
	return t, nil
}

func (f *File) keys() (keysPart, error) {
	if err := f.err(); err != nil {
		return keysPart{}, err
	}
	b, err := f.part(partKeys)
	if err != nil {
		return keysPart{}, err
	}
	p, err := newKeysPart(b, f.first, f.count())
	if err != nil {
		return keysPart{}, f.fail(err)
	}
	return p, nil
}

// block decodes the keys around a series of the file.
func (f *File) block(id uint32) (k *block, err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	p, err := f.keys()
	if err != nil {
		return nil, err
	}
	if k, err = p.block(id); err != nil {
		return nil, f.fail(err)
	}
	return k, nil
}

func (f *File) tags() (tagsPart, error) {
	if err := f.err(); err != nil {
		return tagsPart{}, err
	}
	b, err := f.part(partTags)
	if err != nil {
		return tagsPart{}, err
	}
	p, err := newTagsPart(b, f.first, f.end)
	if err != nil {
		return tagsPart{}, f.fail(err)
	}
	return p, nil
}

// guard is what every method that touches the mapped bytes begins with:
//
//	defer f.guard(debug.SetPanicOnFault(true), &err)
//
// A page that the disk does not give faults, which would end the process; so
// the fault becomes an error of kind model.ErrCorrupt. Faults at other addresses
// are bugs and go on as panics. was is how faults were met before.
func (f *File) guard(was bool, err *error) {
	debug.SetPanicOnFault(was)
	p := recover()
	if p == nil {
		return
	}
	fault, ok := p.(interface {
		error
		Addr() uintptr
	})
	first := uintptr(unsafe.Pointer(unsafe.SliceData(f.data)))
	if !ok || fault.Addr()-first >= uintptr(len(f.data)) { // an address below first wraps
		panic(p)
	}
	*err = f.failed(fmt.Errorf("read at %d of %d bytes: %w: %w", fault.Addr()-first, len(f.data), fault, model.ErrCorrupt))
	f.damage.Store(err)
}
