package index

import (
	"maps"
	"runtime/debug"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// Values gives the values of a tag key of a measurement that a series has which
// is not buried.
func (v *View) Values(measurement, key string) (map[string]struct{}, error) {
	return v.values(measurement, key, v.delta.end())
}

// TagValues gives the values of a tag key of a measurement that a series has
// with an id less than below that is not buried, sorted.
func (v *View) TagValues(measurement, key string, below uint32) ([]string, error) {
	live, err := v.values(measurement, key, below)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(live)), nil
}

func (v *View) values(measurement, key string, below uint32) (map[string]struct{}, error) {
	dead := v.x.Buried()
	live := v.delta.values(measurement, key, below, dead)
	for _, f := range v.files {
		if f.first >= below {
			break
		}
		if err := f.addValues(live, measurement, key, below, dead); err != nil {
			return nil, err
		}
	}
	return live, nil
}

// MostValues gives a number that the values of no tag key are above. It looks at
// no values: a series that is in no file counts as one.
func (v *View) MostValues() (int, error) {
	most := int(v.delta.end() - v.delta.first)
	for _, f := range v.files {
		n, err := f.mostValues()
		if err != nil {
			return 0, err
		}
		most += n
	}
	return most, nil
}

// addValues adds to live the values of a tag key that a series below below has
// which is not among the dead.
func (f *File) addValues(live map[string]struct{}, measurement, key string, below uint32, dead *roaring.Bitmap) (err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	p, err := f.tags()
	if err != nil {
		return err
	}
	i, ok := p.names.find([]byte(measurement))
	if !ok {
		return nil
	}
	m, err := p.measurement(i)
	if err != nil {
		return f.fail(err)
	}
	s := fileSource{tagsRecord: m, text: p.names.at(i)}
	section, ok, err := s.section(key)
	if err != nil || !ok {
		return f.checked(err)
	}
	for k := range section.values.len() {
		one, many, err := section.posting(k)
		if err != nil {
			return f.fail(err)
		}
		gone := one >= below || dead.Contains(one)
		if many != nil {
			b, err := p.view(many)
			if err != nil {
				return f.fail(err)
			}
			b.RemoveRange(uint64(below), 1<<32)
			gone = b.AndCardinality(dead) == b.GetCardinality()
		}
		if !gone {
			live[string(section.values.at(k))] = struct{}{}
		}
	}
	return nil
}

// mostValues gives the values of the tag key that has the most.
func (f *File) mostValues() (most int, err error) {
	if n := f.most.Load(); n > 0 {
		return int(n - 1), nil
	}
	defer f.guard(debug.SetPanicOnFault(true), &err)
	p, err := f.tags()
	if err != nil {
		return 0, err
	}
	for i := range p.names.len() {
		m, err := p.measurement(i)
		if err != nil {
			return 0, f.fail(err)
		}
		for k := range m.keys.len() {
			s, err := m.key(k)
			if err != nil {
				return 0, f.fail(err)
			}
			most = max(most, s.values.len())
		}
	}
	f.most.Store(int64(most) + 1)
	return most, nil
}

// columnLocked gives a tag key of a measurement, nil when d has none. The lock of the
// tags is held.
func (d *delta) columnLocked(measurement, key string) *tagColumn {
	d.buildLocked()
	if m := d.tags.byName[measurement]; m != nil {
		return m.keys[key]
	}
	return nil
}

// values gives those of a tag key that a series below below has which is not
// among the dead.
func (d *delta) values(measurement, key string, below uint32, dead *roaring.Bitmap) map[string]struct{} {
	live := map[string]struct{}{}
	d.tags.Lock()
	defer d.tags.Unlock()
	c := d.columnLocked(measurement, key)
	if c == nil {
		return live
	}
	for i, id := range c.series {
		if id < below && !dead.Contains(id) {
			live[c.values[c.symbol[i]]] = struct{}{}
		}
	}
	return live
}
