package index

import (
	"bytes"
	"hash/crc32"
	"runtime/debug"
	"slices"

	"github.com/varvedb/varve/model"
)

// deriveLocked gives what a damaged part said, from other parts, or nil when
// these are damaged, too, or do not say it.
func (f *File) deriveLocked(part int) []byte {
	b := f.madeLocked(part)
	// The tags may be coded otherwise than in merging files.
	if part != partTags && crc32.Checksum(b, castagnoli) != f.where[part].sum {
		return nil
	}
	return b
}

// madeLocked makes a part from others, or gives nil when these are damaged:
// slots from hashes, hashes from keys, keys from tags, tags from keys.
func (f *File) madeLocked(part int) (b []byte) {
	var err error
	defer f.guard(debug.SetPanicOnFault(true), &err)
	w := partBuffer()
	switch part {
	case partHashes:
		hashes, err := f.hashesFromKeysLocked()
		if err != nil {
			return nil
		}
		w.hashes(hashes)
	case partSlots:
		hashes, err := f.verifyLocked(partHashes)
		if err != nil {
			return nil
		}
		w.uint32s(makeSlots(hashesOf(hashes), slotCount(f.count())))
	case partKeys:
		keys, err := f.keysFromTagsLocked()
		if err != nil {
			return nil
		}
		w.keys(slices.Values(keys))
	case partTags:
		p, err := f.postingsFromKeysLocked()
		if err != nil {
			return nil
		}
		t := tagsWriter{f: w.fileWriter, first: f.first}
		p.write(&t, f.first, f.end)
		t.finish()
	}
	return w.bytes()
}

// bufferedPart is a part that is made in memory.
type bufferedPart struct {
	*fileWriter
	buf *bytes.Buffer
}

func partBuffer() bufferedPart {
	buf := &bytes.Buffer{}
	w := newFileWriter(buf)
	w.begin()
	return bufferedPart{w, buf}
}

func (w bufferedPart) bytes() []byte {
	if w.err != nil || w.w.Flush() != nil {
		return nil
	}
	return w.buf.Bytes()[w.start:]
}

// eachKeyLocked calls do for each key of the keys part.
func (f *File) eachKeyLocked(do func(id uint32, key []byte)) error {
	b, err := f.verifyLocked(partKeys)
	if err != nil {
		return err
	}
	p, err := newKeysPart(b, f.first, f.count())
	if err != nil {
		return err
	}
	var key []byte
	for id := f.first; id < f.end; id += blockSeries {
		k, err := p.block(id)
		if err != nil {
			return err
		}
		for i := range uint32(len(k.ends)) {
			key = k.appendKey(key[:0], id+i)
			do(id+i, key)
		}
	}
	return nil
}

func (f *File) hashesFromKeysLocked() ([]model.SeriesHash, error) {
	if f.hash == nil {
		return nil, model.ErrNotSupported
	}
	hashes := make([]model.SeriesHash, 0, f.count())
	err := f.eachKeyLocked(func(_ uint32, key []byte) { hashes = append(hashes, f.hash(key)) })
	return hashes, err
}

func (f *File) postingsFromKeysLocked() (*postings, error) {
	p := newPostings()
	return p, f.eachKeyLocked(p.add)
}

// keysFromTagsLocked gives the keys as the tags say them.
func (f *File) keysFromTagsLocked() ([][]byte, error) {
	b, err := f.verifyLocked(partTags)
	if err != nil {
		return nil, err
	}
	p, err := newTagsPart(b, f.first, f.end)
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, f.count())
	for i := range p.names.len() {
		m, err := p.measurement(i)
		if err != nil {
			return nil, err
		}
		all, err := p.view(m.series)
		if err != nil {
			return nil, err
		}
		name := model.AppendSeriesKey(nil, string(p.names.at(i)), nil)
		for it := all.Iterator(); it.HasNext(); {
			keys[it.Next()-f.first] = slices.Clone(name)
		}
		for k := range m.keys.len() {
			s, err := m.key(k)
			if err != nil {
				return nil, err
			}
			if err := s.appendTags(keys, m.keys.at(k)); err != nil {
				return nil, err
			}
		}
	}
	if slices.ContainsFunc(keys, func(key []byte) bool { return key == nil }) {
		return nil, badTags("series without a measurement")
	}
	return keys, nil
}

// appendTags adds a tag to the keys of the series that have it.
func (s *tagsSection) appendTags(keys [][]byte, key []byte) error {
	for i := range s.values.len() {
		tag := model.AppendSeriesKey(nil, "", model.Tags{{Key: string(key), Value: string(s.values.at(i))}})
		one, many, err := s.posting(i)
		if err != nil {
			return err
		}
		if many == nil {
			keys[one-s.part.first] = append(keys[one-s.part.first], tag...)
			continue
		}
		series, err := s.part.view(many)
		if err != nil {
			return err
		}
		for it := series.Iterator(); it.HasNext(); {
			id := it.Next()
			keys[id-s.part.first] = append(keys[id-s.part.first], tag...)
		}
	}
	return nil
}
