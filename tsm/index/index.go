package index

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// maxSeries bounds the ids of a shard: Unknown is none, and a table keeps id+1
// in 32 bits.
const maxSeries = math.MaxUint32 - 1

// Unknown is what Lookup gives for a series that the Index does not have.
const Unknown = math.MaxUint32

// Index is the series of a shard: those in files, and after them those since
// the last file. It is safe for concurrent use.
type Index struct {
	mu struct {
		sync.RWMutex
		files []*File // by first id, without gaps; not changed in place
		delta *delta
		dead  *roaring.Bitmap // buried ids
	}
}

// New gives an empty Index.
func New() *Index {
	x := &Index{}
	x.mu.dead = roaring.New()
	x.mu.delta = newDelta(0)
	return x
}

// Append adds the series of a file to those in files, with nothing after them
// yet. The Index closes it. A file that does not follow is of kind
// model.ErrCorrupt.
func (x *Index) Append(f *File) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if end := x.mu.delta.end(); f.first != end || end != x.mu.delta.first {
		return fmt.Errorf("index file %s begins with series %d, not %d: %w", f.name, f.first, end, model.ErrCorrupt)
	}
	x.mu.files = append(slices.Clone(x.mu.files), f)
	x.mu.delta = newDelta(f.end)
	return nil
}

// Close lets go of the files. Views stay usable; of x itself what was in files
// is unknown from then on.
func (x *Index) Close() error {
	x.mu.Lock()
	files := x.mu.files
	x.mu.files = nil
	x.mu.Unlock()
	return releaseAll(files)
}

func releaseAll(files []*File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.release())
	}
	return errors.Join(errs...)
}

// Len gives the number of ids given out, buried ones among them.
func (x *Index) Len() uint32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.mu.delta.end()
}

// Kept gives the number of series that are in files: those with lower ids.
func (x *Index) Kept() uint32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.mu.delta.first
}

// MemoryBytes gives about what the series take that are in no file.
func (x *Index) MemoryBytes() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return int64(x.mu.delta.memory())
}

// Lookup adds the id of each series to dst, or Unknown, and reports whether any
// is unknown. It allocates nothing but dst. An error, of kind model.ErrCorrupt,
// is that a damaged file keeps it from knowing.
func (x *Index) Lookup(dst []uint32, series []model.Series) (ids []uint32, unknown bool, err error) {
	n := len(dst)
	dst = slices.Grow(dst, len(series))
	for range series {
		dst = append(dst, Unknown)
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	ids = dst[n:]
	rest := x.mu.delta.findAll(ids, series)
	// The largest file first: most series are there.
	for i := 0; i < len(x.mu.files) && rest > 0; i++ {
		if rest, err = x.mu.files[i].findAll(ids, series); err != nil {
			return dst, true, err
		}
	}
	return dst, rest > 0, nil
}

func (f *File) findAll(ids []uint32, series []model.Series) (unknown int, err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	t, err := f.lookup()
	if err != nil {
		return len(ids), err
	}
	return t.findAll(ids, series, f.first), nil
}

func (f *File) find(h model.SeriesHash) (id uint32, ok bool, err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	t, err := f.lookup()
	if err != nil {
		return 0, false, err
	}
	n, ok := t.find(h)
	return f.first + n, ok, nil
}

// Find gives the id of a series. Errors are as of Lookup.
func (x *Index) Find(h model.SeriesHash) (id uint32, ok bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.findLocked(h)
}

func (x *Index) findLocked(h model.SeriesHash) (id uint32, ok bool, err error) {
	if id, ok := x.mu.delta.find(h); ok {
		return id, true, nil
	}
	for _, f := range x.mu.files {
		if id, ok, err = f.find(h); ok || err != nil {
			return id, ok, err
		}
	}
	return 0, false, nil
}

// Add gives the id of a series, a new one when it is not known. The key is
// copied; it must be canonical.
func (x *Index) Add(h model.SeriesHash, key []byte) (id uint32, added bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if id, ok, err := x.findLocked(h); ok || err != nil {
		return id, false, err
	}
	return x.mu.delta.add(h, key)
}

// Key gives the canonical key of a series, nil for an id never given out. It
// must not be changed. View.Key is faster for many.
func (x *Index) Key(id uint32) ([]byte, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if id >= x.mu.delta.first {
		return x.mu.delta.key(id), nil
	}
	f := fileOf(x.mu.files, id)
	if f == nil {
		return nil, nil
	}
	k, err := f.block(id)
	if err != nil {
		return nil, err
	}
	return k.appendKey(make([]byte, 0, k.keyBytes(id)), id), nil
}

// fileOf gives the file with a series, or nil.
func fileOf(files []*File, id uint32) *File {
	lo, hi := 0, len(files)
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); files[m].end <= id {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(files) && files[lo].first <= id {
		return files[lo]
	}
	return nil
}

// Series gives measurement and tags of a series.
func (x *Index) Series(id uint32) (measurement string, tags model.Tags, err error) {
	key, err := x.Key(id)
	if err != nil {
		return "", nil, err
	}
	measurement, tags, _ = model.ParseSeriesKey(key)
	return measurement, tags, nil
}

// Match gives the series of all measurements for which where holds, buried
// ones among them: what a delete covers. The caller owns the result.
func (x *Index) Match(where *model.Predicate) (*roaring.Bitmap, error) {
	v := x.View()
	b, err := v.match(where)
	return b, errors.Join(err, v.Close())
}

// Damage says why series in files cannot be known; nil is that they can as far
// as was looked.
func (x *Index) Damage() error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, f := range x.mu.files {
		if err := f.err(); err != nil {
			return err
		}
	}
	return nil
}

// Derived reports whether the file that begins with a series is to be written
// anew: a part of it is damaged.
func (x *Index) Derived(first uint32) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	f := fileOf(x.mu.files, first)
	return f != nil && f.Derived() && f.err() == nil
}

// Write writes a file with the series from first to before end, which must be
// those of whole files, or the first ones that are in no file. It is durable,
// and whole, when Write returns, and no part of the Index.
func (x *Index) Write(fsys vfs.FS, name string, first, end uint32) (size int64, err error) {
	v := x.View()
	c, err := v.content(first, end)
	if err == nil {
		size, err = v.write(fsys, name, c)
	}
	if err = errors.Join(err, v.Close()); err != nil {
		return 0, fmt.Errorf("write index: %w", err)
	}
	return size, nil
}

// Install makes f, which Write has written of this Index, a part of it in the
// place of what it was written from.
func (x *Index) Install(f *File) error {
	x.mu.Lock()
	var files, old []*File
	for _, o := range x.mu.files {
		if o.first >= f.first && o.end <= f.end {
			old = append(old, o)
		} else {
			files = append(files, o)
		}
	}
	at, _ := slices.BinarySearchFunc(files, f.first, func(o *File, first uint32) int { return int(int64(o.first) - int64(first)) })
	x.mu.files = slices.Insert(files, at, f)
	if f.end > x.mu.delta.first {
		x.mu.delta = x.mu.delta.after(f.end)
	}
	x.mu.Unlock()
	return releaseAll(old)
}

// Bury takes series out of all listings; ids never given out are ignored.
func (x *Index) Bury(ids *roaring.Bitmap) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.dead.Or(ids)
	x.mu.dead.RemoveRange(uint64(x.mu.delta.end()), math.MaxUint32+1)
}

// Revive puts series back into the listings.
func (x *Index) Revive(ids []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	// Together: one by one each would move what is behind it in a run.
	x.mu.dead.AndNot(roaring.BitmapOf(ids...))
}

// AnyBuried reports whether one of the series is buried.
func (x *Index) AnyBuried(ids []uint32) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.mu.dead.IsEmpty() {
		return false
	}
	for _, id := range ids {
		if x.mu.dead.Contains(id) {
			return true
		}
	}
	return false
}

// Buried gives a copy of the set of buried series.
func (x *Index) Buried() *roaring.Bitmap {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.mu.dead.Clone()
}

// Live gives the number of series with an id less than below that are not buried.
func (x *Index) Live(below uint32) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	below = min(below, x.mu.delta.end())
	if below == 0 {
		return 0
	}
	return int(below) - int(x.mu.dead.Rank(below-1))
}
