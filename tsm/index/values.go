package index

import "runtime/debug"

// Values gives how many values a tag key of a measurement has, those of buried
// series among them.
func (v *View) Values(measurement, key string) (n int, err error) {
	fresh := v.delta.values(measurement, key)
	distinct := make(map[string]struct{}, len(fresh))
	for _, value := range fresh {
		distinct[value] = struct{}{}
	}
	for _, f := range v.files {
		err := f.values(measurement, key, func(t *texts) {
			if n = t.len(); len(v.files) == 1 && len(fresh) == 0 {
				return
			}
			for k := range t.len() {
				distinct[string(t.at(k))] = struct{}{}
			}
		})
		if err != nil {
			return 0, err
		}
	}
	return max(n, len(distinct)), nil
}

// HasValue reports whether a series has a value of a tag.
func (v *View) HasValue(measurement, key, value string) (ok bool, err error) {
	ok = v.delta.hasValue(measurement, key, value)
	for i := 0; i < len(v.files) && !ok && err == nil; i++ {
		err = v.files[i].values(measurement, key, func(t *texts) { _, ok = t.find([]byte(value)) })
	}
	return ok, err
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

// values shows look those of a tag key, as they lie in the file, if it has any.
func (f *File) values(measurement, key string, look func(*texts)) (err error) {
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
	look(&section.values)
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

// values gives those of a tag key. They must not be changed.
func (d *delta) values(measurement, key string) []string {
	d.tags.Lock()
	defer d.tags.Unlock()
	if c := d.columnLocked(measurement, key); c != nil {
		return c.values[:len(c.values):len(c.values)]
	}
	return nil
}

func (d *delta) hasValue(measurement, key, value string) bool {
	d.tags.Lock()
	defer d.tags.Unlock()
	c := d.columnLocked(measurement, key)
	if c == nil {
		return false
	}
	_, ok := c.symbols[value]
	return ok
}
