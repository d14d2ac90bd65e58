package index

import (
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// View is the series of an Index when it was made, for reading; which of them
// are buried is as of each call. It keeps files and memory alive. It is safe for
// concurrent use, but not after Close.
type View struct {
	x     *Index
	files []*File
	delta *delta
	close sync.Once
	err   error // of Close

	blocks struct {
		sync.Once
		recent []atomic.Pointer[block] // by number of the block
	}
}

// recentBlocks is how many blocks of keys a View keeps decoded: about 6 KB each.
const recentBlocks = 1024

// View gives what x has now.
func (x *Index) View() *View {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, f := range x.mu.files {
		f.hold()
	}
	return &View{x: x, files: x.mu.files, delta: x.mu.delta}
}

// Close lets go of the files. It may be called twice.
func (v *View) Close() error {
	v.close.Do(func() { v.err = releaseAll(v.files) })
	return v.err
}

// Damage says why something of the View cannot be known; nil is that nothing
// was found. Key, Tags and Measurement, which give nothing then, may have met it.
func (v *View) Damage() error {
	for _, f := range v.files {
		if err := f.err(); err != nil {
			return err
		}
	}
	return nil
}

// Find gives the id of a series. Errors are of kind model.ErrCorrupt.
func (v *View) Find(h model.SeriesHash) (id uint32, ok bool, err error) {
	if id, ok := v.delta.find(h); ok {
		return id, true, nil
	}
	for _, f := range v.files {
		if id, ok, err = f.find(h); ok || err != nil {
			return id, ok, err
		}
	}
	return 0, false, nil
}

// block gives the block with a series that is in a file, nil when there is none.
// A scan in order of ids decodes each once.
func (v *View) block(id uint32) *block {
	v.blocks.Do(func() {
		n := 1
		for n < recentBlocks && uint32(n)*blockSeries < v.delta.first {
			n *= 2
		}
		v.blocks.recent = make([]atomic.Pointer[block], n)
	})
	at := &v.blocks.recent[int(id/blockSeries)&(len(v.blocks.recent)-1)]
	if k := at.Load(); k != nil && id >= k.first && id-k.first < uint32(len(k.ends)) {
		return k
	}
	f := fileOf(v.files, id)
	if f == nil {
		return nil
	}
	k, err := f.block(id)
	if err != nil {
		return nil // Damage says it
	}
	at.Store(k)
	return k
}

// Key gives the canonical key of a series, nil for one that there is not. It
// must not be changed.
func (v *View) Key(id uint32) []byte {
	if id >= v.delta.first {
		return v.delta.key(id)
	}
	if k := v.block(id); k != nil {
		return k.appendKey(make([]byte, 0, k.keyBytes(id)), id)
	}
	return nil
}

// Tags gives the tags of a series.
func (v *View) Tags(id uint32) model.Tags {
	if id >= v.delta.first {
		_, tags, _ := model.ParseSeriesKey(v.delta.key(id))
		return tags
	}
	if k := v.block(id); k != nil {
		return k.tags(id)
	}
	return nil
}

// Tag gives one tag of a series, "" where it lacks it.
func (v *View) Tag(id uint32, key string) string {
	if id >= v.delta.first {
		return model.TagOfSeriesKey(v.delta.key(id), key)
	}
	if k := v.block(id); k != nil {
		return k.tag(id, key)
	}
	return ""
}

// Measurement gives the measurement of a series.
func (v *View) Measurement(id uint32) string {
	if id >= v.delta.first {
		return v.delta.measurement(id)
	}
	if k := v.block(id); k != nil {
		return k.measurement(id)
	}
	return ""
}

// Live gives hash and key of each series with an id less than below that is not
// buried, in order of id. A key is valid until the next one. It ends early where
// the View is damaged, and Damage says so.
func (v *View) Live(below uint32) iter.Seq2[model.SeriesHash, []byte] {
	return func(yield func(model.SeriesHash, []byte) bool) {
		dead := v.x.Buried()
		hashes, keys := v.delta.snapshot()
		var f *File
		var table []model.SeriesHash
		var key []byte
		for id := range min(below, v.delta.first+uint32(len(hashes))) {
			if dead.Contains(id) {
				continue
			}
			if id >= v.delta.first {
				if n := id - v.delta.first; !yield(hashes[n], keys.get(n)) {
					return
				}
				continue
			}
			if f == nil || id >= f.end {
				f = fileOf(v.files, id)
				var err error
				if table, err = f.copyHashes(); err != nil {
					return
				}
			}
			k := v.block(id)
			if k == nil {
				return
			}
			if key = k.appendKey(key[:0], id); !yield(table[id-f.first], key) {
				return
			}
		}
	}
}

// copyHashes gives the hashes of a file on their own: who uses them does not
// touch the file.
func (f *File) copyHashes() (hashes []model.SeriesHash, err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	b, err := f.part(partHashes)
	if err != nil {
		return nil, err
	}
	return slices.Clone(hashesOf(b)), nil
}

// content gives what a file of the series from first to before end is made of.
func (v *View) content(first, end uint32) (*content, error) {
	if end <= first || end-first > MaxFileSeries || end > v.delta.end() {
		return nil, fmt.Errorf("series %d to %d of %d: %w", first, end, v.delta.end(), model.ErrInvalid)
	}
	if first >= v.delta.first {
		return v.delta.content(first, end), nil
	}
	lo := slices.IndexFunc(v.files, func(f *File) bool { return f.first == first })
	hi := slices.IndexFunc(v.files, func(f *File) bool { return f.end == end })
	if lo < 0 || hi < lo {
		return nil, fmt.Errorf("series %d to %d are not those of files: %w", first, end, model.ErrInvalid)
	}
	return mergeFiles(v.files[lo : hi+1])
}

// write writes a file of what is in others.
func (v *View) write(fsys vfs.FS, name string, c *content) (size int64, err error) {
	for _, f := range v.files {
		defer f.guard(debug.SetPanicOnFault(true), &err)
	}
	return writeFile(fsys, name, c)
}

// mergeFiles gives the content of files that follow each other.
func mergeFiles(files []*File) (*content, error) {
	c := &content{first: files[0].first, count: files[len(files)-1].end - files[0].first}
	var failed error
	c.hashes = func(yield func([]model.SeriesHash) bool) {
		for _, f := range files {
			b, err := f.part(partHashes)
			if err != nil {
				failed = err
				return
			}
			if !yield(hashesOf(b)) {
				return
			}
		}
	}
	c.keys = func(yield func([]byte) bool) {
		for _, f := range files {
			for id := f.first; id < f.end; id += blockSeries {
				k, err := f.block(id)
				if err != nil {
					failed = err
					return
				}
				var keys []byte
				for i := range uint32(len(k.ends)) {
					at := len(keys)
					keys = k.appendKey(keys, id+i)
					if !yield(keys[at:]) {
						return
					}
				}
			}
		}
	}
	c.tags = func(w *tagsWriter) error {
		parts := make([]tagsPart, len(files))
		for i, f := range files {
			var err error
			if parts[i], err = f.tags(); err != nil {
				return err
			}
		}
		return mergeTags(w, parts)
	}
	c.err = func() error { return failed }
	return c, nil
}

// live takes series from below on, and buried ones, out of b.
func (v *View) live(b *roaring.Bitmap, below uint32) {
	v.x.mu.RLock()
	defer v.x.mu.RUnlock()
	b.RemoveRange(uint64(below), 1<<32)
	if !v.x.mu.dead.IsEmpty() {
		b.AndNot(v.x.mu.dead)
	}
}
