package index

import (
	"bytes"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// same looks at the values that both keys have, once each.
func (s *fileSource) same(key, other string) (*roaring.Bitmap, error) {
	all := roaring.New()
	x, ok, err := s.section(key)
	if !ok || err != nil {
		return all, err
	}
	y, ok, err := s.section(other)
	if !ok || err != nil {
		return all, err
	}
	for i, j := 0, 0; i < x.values.len() && j < y.values.len(); {
		switch c := bytes.Compare(x.values.at(i), y.values.at(j)); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			b, err := x.series(i)
			if err != nil {
				return nil, err
			}
			o, err := y.series(j)
			if err != nil {
				return nil, err
			}
			b.And(o)
			all.Or(b)
			i, j = i+1, j+1
		}
	}
	own(all)
	return all, nil
}

// series gives the series that have a value, by its number.
func (s *tagsSection) series(value int) (*roaring.Bitmap, error) {
	one, many, err := s.posting(value)
	if err != nil {
		return nil, err
	}
	if many == nil {
		return roaring.BitmapOf(one), nil
	}
	return s.part.view(many)
}

func (s deltaSource) same(key, other string) (*roaring.Bitmap, error) {
	x, y := s.m.keys[key], s.m.keys[other]
	if x == nil || y == nil {
		return roaring.New(), nil
	}
	var ids []uint32
	for i, id := range x.series {
		if j, ok := slices.BinarySearch(y.series, id); ok && x.values[x.symbol[i]] == y.values[y.symbol[j]] {
			ids = append(ids, id)
		}
	}
	return roaring.BitmapOf(ids...), nil
}
