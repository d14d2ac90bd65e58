package index

import (
	"context"
	"runtime/debug"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// Values gives the values of a tag key of a measurement that a series has which
// is not buried.
func (v *View) Values(measurement, key string) (map[string]struct{}, error) {
	live := map[string]struct{}{}
	err := v.eachValues(context.Background(), measurement, key, v.delta.end(), func(values []string) {
		for _, value := range values {
			live[value] = struct{}{}
		}
	})
	return live, err
}

// TagValues gives the values of a tag key of a measurement that a series has
// with an id less than below that is not buried, sorted. It ends soon after ctx
// does: there may be millions.
func (v *View) TagValues(ctx context.Context, measurement, key string, below uint32) ([]string, error) {
	var all []string
	err := v.eachValues(ctx, measurement, key, below, func(values []string) {
		all = append(all, values...)
	})
	if err != nil {
		return nil, err
	}
	if !slices.IsSorted(all) { // of one file they are
		slices.Sort(all)
	}
	return slices.Compact(all), nil
}

// eachValues gives the values that a series of a file or of the delta has with an
// id less than below that is not buried, each once.
func (v *View) eachValues(ctx context.Context, measurement, key string, below uint32, give func([]string)) error {
	dead := v.x.Buried()
	for _, f := range v.files {
		if f.first >= below {
			break
		}
		values, err := f.values(ctx, measurement, key, below, dead)
		if err != nil {
			return err
		}
		give(values)
	}
	give(v.delta.values(measurement, key, below, dead))
	return ctx.Err()
}

// valuesAtOnce is how many values are looked at between checks of a context.
const valuesAtOnce = 4096

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

// values gives the values of a tag key that a series below below has which is
// not among the dead, sorted.
func (f *File) values(ctx context.Context, measurement, key string, below uint32, dead *roaring.Bitmap) (live []string, err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	p, err := f.tags()
	if err != nil {
		return nil, err
	}
	i, ok := p.names.find([]byte(measurement))
	if !ok {
		return nil, nil
	}
	m, err := p.measurement(i)
	if err != nil {
		return nil, f.fail(err)
	}
	s := fileSource{tagsRecord: m, text: p.names.at(i)}
	section, ok, err := s.section(key)
	if err != nil || !ok {
		return nil, f.checked(err)
	}
	live = make([]string, 0, section.values.len())
	for k := range section.values.len() {
		if k%valuesAtOnce == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		one, many, err := section.posting(k)
		if err != nil {
			return nil, f.fail(err)
		}
		gone := one >= below || dead.Contains(one)
		if many != nil {
			b, err := p.view(many)
			if err != nil {
				return nil, f.fail(err)
			}
			b.RemoveRange(uint64(below), 1<<32)
			gone = b.AndCardinality(dead) == b.GetCardinality()
		}
		if !gone {
			live = append(live, string(section.values.at(k)))
		}
	}
	return live, nil
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
// among the dead, in any order.
func (d *delta) values(measurement, key string, below uint32, dead *roaring.Bitmap) []string {
	d.tags.Lock()
	defer d.tags.Unlock()
	c := d.columnLocked(measurement, key)
	if c == nil {
		return nil
	}
	has := make([]bool, len(c.values))
	for i, id := range c.series {
		has[c.symbol[i]] = has[c.symbol[i]] || id < below && !dead.Contains(id)
	}
	var live []string
	for symbol, ok := range has {
		if ok {
			live = append(live, c.values[symbol])
		}
	}
	return live
}
