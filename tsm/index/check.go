package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"runtime/debug"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
)

// checkPiece is about how many bytes are looked at between steps.
const checkPiece = 1 << 20

// Check reads all files of v back: whether their parts are as they were written,
// and whether they agree with each other. A part that is wrong is made from the
// others where that can be, and Index.Derived says so; what cannot be mended is
// Damage. step is called with the bytes that are looked at next; its error ends
// the check and is given back. Besides the parts it takes 8 bytes a series of
// one file.
func (v *View) Check(step func(bytes int64) error) error {
	for _, f := range v.files {
		if f.err() != nil {
			continue
		}
		wrong, err := f.unsound(step)
		if err != nil {
			return err
		}
		f.deriveAll(wrong)
		if f.err() != nil {
			continue
		}
		if err := f.agree(step); err != nil && f.err() == nil {
			return err
		}
	}
	return nil
}

// Lacks gives a series of those that a measurement is said to have which it has
// not, buried or not.
func (v *View) Lacks(measurement string, series []uint32) (lacking uint32, lacks bool, err error) {
	all, err := v.Of(measurement)
	if err != nil {
		return 0, false, err
	}
	given := roaring.BitmapOf(series...)
	given.AndNot(all)
	if given.IsEmpty() {
		return 0, false, nil
	}
	return given.Minimum(), true, nil
}

// unsound gives the parts that are not as they were written.
func (f *File) unsound(step func(bytes int64) error) (wrong [partCount]bool, err error) {
	for i, e := range f.where {
		sum := uint32(0)
		for at := e.start; at < e.end; at += checkPiece {
			n := min(checkPiece, e.end-at)
			if err := step(int64(n)); err != nil {
				return wrong, err
			}
			if sum, err = f.addSum(sum, f.data[at:at+n]); err != nil {
				return wrong, nil // it is Damage
			}
		}
		wrong[i] = sum != e.sum
	}
	return wrong, nil
}

func (f *File) addSum(sum uint32, b []byte) (_ uint32, err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	return crc32.Update(sum, castagnoli, b), nil
}

// deriveAll derives parts that were sound perhaps when they were touched first.
func (f *File) deriveAll(wrong [partCount]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// First all are forgotten, for none may be derived from another that is wrong.
	for i, is := range wrong {
		if is && !f.mu.bad[i] {
			f.parts[i].Store(nil)
			f.table.Store(nil)
		}
	}
	for i, is := range wrong {
		if is && f.mu.err == nil {
			f.verifyLocked(i) // f keeps the error
		}
	}
}

// agree holds the parts against each other. Two that agree outvote a third.
// Errors are those of step, or Damage.
func (f *File) agree(step func(bytes int64) error) (err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	sums, strange, err := f.sumKeys(step)
	if err != nil {
		return f.noted(err)
	}
	same, err := f.sumsAreOfTags(sums, step)
	if err != nil {
		return f.noted(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case strange == 0 && same:
	case strange == 0:
		err = f.remakeLocked(partTags)
	case same && strange <= f.count()/2: // more is another hash
		if err = f.remakeLocked(partHashes); err == nil {
			err = f.remakeLocked(partSlots)
		}
	case !same:
		err = f.remakeKeysLocked()
	default:
		err = fmt.Errorf("%d of %d hashes are not those of the keys: %w", strange, f.count(), model.ErrCorrupt)
	}
	if err == nil {
		err = f.checkSlotsLocked()
	}
	if err != nil {
		return f.failLocked(err)
	}
	return nil
}

// noted keeps an error that is damage.
func (f *File) noted(err error) error {
	if errors.Is(err, model.ErrCorrupt) {
		return f.fail(err)
	}
	return err
}

// remakeLocked makes a part from others that say something else.
func (f *File) remakeLocked(part int) error {
	f.mu.bad[part] = true
	b := f.madeLocked(part)
	if b == nil {
		return fmt.Errorf("%s do not agree with other parts: %w", partNames[part], model.ErrCorrupt)
	}
	f.parts[part].Store(&b)
	f.derived.Store(true)
	f.table.Store(nil)
	return nil
}

// remakeKeysLocked makes the keys from the tags, if their hashes are those.
func (f *File) remakeKeysLocked() error {
	before := f.parts[partKeys].Load()
	if err := f.remakeLocked(partKeys); err != nil {
		return err
	}
	hashes, err := f.verifyLocked(partHashes)
	if err != nil {
		return err
	}
	made, err := f.hashesFromKeysLocked()
	if err != nil || !slices.Equal(made, hashesOf(hashes)) {
		f.parts[partKeys].Store(before)
		return fmt.Errorf("hashes, keys and tags do not agree: %w", model.ErrCorrupt)
	}
	return nil
}

// checkSlotsLocked makes slots anew that do not find the hashes.
func (f *File) checkSlotsLocked() error {
	hashes, err := f.verifyLocked(partHashes)
	if err != nil {
		return err
	}
	slots, err := f.verifyLocked(partSlots)
	if err != nil {
		return err
	}
	if slices.Equal(slotsOf(slots), makeSlots(hashesOf(hashes), slotCount(f.count()))) {
		return nil
	}
	return f.remakeLocked(partSlots)
}

// tagSums are, by series of a file, sums of hashes of the measurement and of
// each tag: the order of tags does not matter, and what is added from one part
// and subtracted from the other leaves zeros if both say the same.
type tagSums struct {
	of               []uint64
	measurement, tag maphash.Seed
	buf              []byte
}

func newTagSums(count int) *tagSums {
	return &tagSums{of: make([]uint64, count), measurement: maphash.MakeSeed(), tag: maphash.MakeSeed()}
}

func (t *tagSums) hashTag(key, value []byte) uint64 {
	t.buf = append(binary.AppendUvarint(t.buf[:0], uint64(len(key))), key...)
	t.buf = append(t.buf, value...)
	return maphash.Bytes(t.tag, t.buf)
}

// sumKeys gives the sums of the keys, and how many of the keys have another hash
// than the file says.
func (f *File) sumKeys(step func(bytes int64) error) (sums *tagSums, strange int, err error) {
	p, err := f.keys()
	if err != nil {
		return nil, 0, err
	}
	b, err := f.part(partHashes)
	if err != nil {
		return nil, 0, err
	}
	hashes := hashesOf(b)
	sums = newTagSums(f.count())
	var key []byte
	ready := 0 // bytes that were allowed
	for first := f.first; first < f.end; first += blockSeries {
		k, err := p.block(first)
		if err != nil {
			return nil, 0, err
		}
		if ready -= len(k.text); ready < 0 {
			if err := step(checkPiece); err != nil {
				return nil, 0, err
			}
			ready = checkPiece
		}
		tokens := k.sums(sums)
		for i := range uint32(len(k.ends)) {
			id := first + i
			for _, ref := range k.of(id) {
				sums.of[id-f.first] += tokens[ref]
			}
			key = k.appendKey(key[:0], id)
			if f.hash != nil && f.hash(key) != hashes[id-f.first] {
				strange++
			}
		}
	}
	return sums, strange, nil
}

// sums gives what each token of a block adds.
func (k *block) sums(t *tagSums) []uint64 {
	all := make([]uint64, len(k.tokens))
	for i, at := range k.tokens {
		if at.eq == at.end {
			all[i] = maphash.Bytes(t.measurement, plain([]byte(k.text[at.start:at.end]), ", "))
			continue
		}
		key, value := []byte(k.text[at.start:at.eq]), []byte(k.text[at.eq+1:at.end])
		all[i] = t.hashTag(plain(key, ", ="), plain(value, ", ="))
	}
	return all
}

// sumsAreOfTags reports whether the sums are those of the tags.
func (f *File) sumsAreOfTags(sums *tagSums, step func(bytes int64) error) (bool, error) {
	p, err := f.tags()
	if err != nil {
		return false, err
	}
	for i := range p.names.len() {
		m, err := p.measurement(i)
		if err != nil {
			return false, err
		}
		series, err := p.view(m.series)
		if err != nil {
			return false, err
		}
		sums.subtract(series, f.first, maphash.Bytes(sums.measurement, p.names.at(i)))
		for k := range m.keys.len() {
			if err := sums.subtractKey(&m, k, step); err != nil {
				return false, err
			}
		}
	}
	return !slices.ContainsFunc(sums.of, func(sum uint64) bool { return sum != 0 }), nil
}

func (t *tagSums) subtract(series *roaring.Bitmap, first uint32, hash uint64) {
	for it := series.Iterator(); it.HasNext(); {
		t.of[it.Next()-first] -= hash
	}
}

func (t *tagSums) subtractKey(m *tagsRecord, key int, step func(bytes int64) error) error {
	s, err := m.key(key)
	if err != nil {
		return err
	}
	name := m.keys.at(key)
	first := s.part.first
	ready := 0
	for i := range s.values.len() {
		value := s.values.at(i)
		one, many, err := s.posting(i)
		if err != nil {
			return err
		}
		if ready -= len(value) + len(many) + 4; ready < 0 {
			if err := step(checkPiece); err != nil {
				return err
			}
			ready = checkPiece
		}
		if many == nil {
			t.of[one-first] -= t.hashTag(name, value)
			continue
		}
		series, err := s.part.view(many)
		if err != nil {
			return err
		}
		t.subtract(series, first, t.hashTag(name, value))
	}
	return nil
}
