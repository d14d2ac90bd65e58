package index

import (
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
)

// measurement is the postings of one measurement. The Index's lock protects it.
type measurement struct {
	name   string
	series *roaring.Bitmap
	keys   map[string]*tagKey
}

// tagKey is the values of one tag key. A value that a single series has, as
// host names often are, costs no bitmap.
type tagKey struct {
	values map[string]posting
}

// posting is a set of ids: one, or a bitmap.
type posting struct {
	one uint32
	all *roaring.Bitmap // nil: only one
}

func newMeasurement(name string) *measurement {
	return &measurement{name: name, series: roaring.New(), keys: map[string]*tagKey{}}
}

func (m *measurement) add(id uint32, tags model.Tags) {
	m.series.Add(id)
	for _, t := range tags {
		k := m.keys[t.Key]
		if k == nil {
			k = &tagKey{values: map[string]posting{}}
			m.keys[t.Key] = k
		}
		p, ok := k.values[t.Value]
		switch {
		case !ok:
			k.values[t.Value] = posting{one: id}
		case p.all == nil:
			k.values[t.Value] = posting{all: roaring.BitmapOf(p.one, id)}
		default:
			p.all.Add(id)
		}
	}
}

func (p posting) addTo(b *roaring.Bitmap) {
	if p.all == nil {
		b.Add(p.one)
		return
	}
	b.Or(p.all)
}

func (p posting) removeFrom(b *roaring.Bitmap) {
	if p.all == nil {
		b.Remove(p.one)
		return
	}
	b.AndNot(p.all)
}

func (p posting) intersects(b *roaring.Bitmap) bool {
	if p.all == nil {
		return b.Contains(p.one)
	}
	return p.all.Intersects(b)
}

// sortedKeys gives the tag keys.
func (m *measurement) sortedKeys() []string { return slices.Sorted(maps.Keys(m.keys)) }
