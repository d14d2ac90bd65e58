package index

import (
	"bytes"

	"github.com/RoaringBitmap/roaring/v2"
)

// mergeTags writes the tags of files one after the other in the order of their
// ids. Bitmaps of values that only one of them has are copied as they lie.
func mergeTags(w *tagsWriter, parts []tagsPart) error {
	names := make([]texts, len(parts))
	for i := range parts {
		names[i] = parts[i].names
	}
	return mergeTexts(names, func(name []byte, in []int, at []int) error {
		var records []tagsRecord
		series := roaring.New()
		for k, i := range in {
			m, err := parts[i].measurement(at[k])
			if err != nil {
				return err
			}
			if err := orView(series, &parts[i], m.series); err != nil {
				return err
			}
			records = append(records, m)
		}
		w.measurement(name, series)
		defer w.endMeasurement()
		return mergeKeys(w, records)
	})
}

func mergeKeys(w *tagsWriter, records []tagsRecord) error {
	keys := make([]texts, len(records))
	for i := range records {
		keys[i] = records[i].keys
	}
	return mergeTexts(keys, func(key []byte, in []int, at []int) error {
		var sections []tagsSection
		has := roaring.New()
		for k, i := range in {
			s, err := records[i].key(at[k])
			if err != nil {
				return err
			}
			if err := orView(has, s.part, s.has); err != nil {
				return err
			}
			sections = append(sections, s)
		}
		w.key(key, has)
		defer w.endKey()
		return mergeValues(w, sections)
	})
}

func mergeValues(w *tagsWriter, sections []tagsSection) error {
	values := make([]texts, len(sections))
	for i := range sections {
		values[i] = sections[i].values
	}
	return mergeTexts(values, func(value []byte, in []int, at []int) error {
		one, many, err := sections[in[0]].posting(at[0])
		if err != nil {
			return err
		}
		if len(in) == 1 && many == nil {
			w.one(value, one)
			return nil
		}
		if len(in) == 1 {
			w.raw(value, many)
			return nil
		}
		all := roaring.New()
		for k, i := range in {
			if err := sections[i].addTo(all, at[k]); err != nil {
				return err
			}
		}
		w.many(value, all)
		return nil
	})
}

// addTo adds the series of a value to b, which may refer to the part then.
func (s *tagsSection) addTo(b *roaring.Bitmap, value int) error {
	one, many, err := s.posting(value)
	if err != nil {
		return err
	}
	if many == nil {
		b.Add(one)
		return nil
	}
	return orView(b, s.part, many)
}

func orView(b *roaring.Bitmap, p *tagsPart, bytes []byte) error {
	v, err := p.view(bytes)
	if err != nil {
		return err
	}
	b.Or(v)
	return nil
}

// mergeTexts calls f for each string of any list, ascending, with the lists that
// have it and its place in each. Lists out of order are of kind model.ErrCorrupt.
func mergeTexts(lists []texts, f func(s []byte, in, at []int) error) error {
	next := make([]int, len(lists))
	var in, at []int
	var last []byte
	for first := true; ; first = false {
		in, at = in[:0], at[:0]
		var least []byte
		for i := range lists {
			if next[i] == lists[i].len() {
				continue
			}
			s := lists[i].at(next[i])
			c := -1
			if len(in) > 0 {
				c = bytes.Compare(s, least)
			}
			if c < 0 {
				in, at, least = in[:0], at[:0], s
			}
			if c <= 0 {
				in, at = append(in, i), append(at, next[i])
			}
		}
		if len(in) == 0 {
			return nil
		}
		if !first && bytes.Compare(last, least) >= 0 {
			return badTags("%q is not after %q", least, last)
		}
		if err := f(least, in, at); err != nil {
			return err
		}
		for _, i := range in {
			next[i]++
		}
		last = least
	}
}
