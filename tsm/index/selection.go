package index

import (
	"bytes"
	"math/bits"
	"runtime/debug"
	"slices"
	"sort"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
)

// Select gives the series of a measurement for which where holds, with ids
// less than below, without buried ones. The caller owns the result. Errors are
// of kind model.ErrCorrupt.
func (v *View) Select(name string, where *model.Predicate, below uint32) (*roaring.Bitmap, error) {
	all, err := v.all(name, where, below)
	if err == nil {
		v.live(all, below)
	}
	return all, err
}

// Of gives all series of a measurement, buried ones among them. The caller owns
// the result. Errors are of kind model.ErrCorrupt.
func (v *View) Of(measurement string) (*roaring.Bitmap, error) {
	return v.all(measurement, nil, v.delta.end())
}

// all is Select with buried series, and those of the files that have ids less
// than below and others.
func (v *View) all(name string, where *model.Predicate, below uint32) (*roaring.Bitmap, error) {
	e := newEvaluation(where)
	all := roaring.New()
	for _, f := range v.files {
		if f.first >= below {
			break
		}
		if err := f.selectInto(all, e, name); err != nil {
			return nil, err
		}
	}
	v.delta.selectInto(all, e, name)
	return all, nil
}

// match gives the series of all measurements for which where holds.
func (v *View) match(where *model.Predicate) (*roaring.Bitmap, error) {
	e := newEvaluation(where)
	all := roaring.New()
	for _, f := range v.files {
		if err := f.matchInto(all, e); err != nil {
			return nil, err
		}
	}
	v.delta.matchInto(all, e)
	return all, nil
}

// Measurements gives the names of those measurements that have a series with
// an id less than below that is not buried, sorted.
func (v *View) Measurements(below uint32) ([]string, error) {
	names := map[string]bool{}
	for _, f := range v.files {
		if err := f.addMeasurements(names, v, below); err != nil {
			return nil, err
		}
	}
	v.delta.addMeasurements(names, v, below)
	return sorted(names), nil
}

// TagKeys gives the tag keys of those series of a measurement that have an id
// less than below and are not buried, sorted.
func (v *View) TagKeys(name string, below uint32) ([]string, error) {
	keys := map[string]bool{}
	for _, f := range v.files {
		if err := f.addTagKeys(keys, v, name, below); err != nil {
			return nil, err
		}
	}
	v.delta.addTagKeys(keys, v, name, below)
	return sorted(keys), nil
}

func sorted(set map[string]bool) []string {
	all := make([]string, 0, len(set))
	for s := range set {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// evaluation is a condition that is evaluated over files and delta.
type evaluation struct {
	where    *model.Predicate
	matchers map[*model.Predicate]*matcher
}

func newEvaluation(where *model.Predicate) *evaluation {
	return &evaluation{where: where, matchers: map[*model.Predicate]*matcher{}}
}

func (e *evaluation) matcher(p *model.Predicate) *matcher {
	m := e.matchers[p]
	if m == nil {
		m = newMatcher(p)
		e.matchers[p] = m
	}
	return m
}

// source is the series of one measurement in a file or a delta. The results of
// its methods may be changed.
type source interface {
	name() string
	all() (*roaring.Bitmap, error)
	// having gives the series that have a tag; ok is false when none has.
	having(key string) (b *roaring.Bitmap, ok bool, err error)
	// matching gives the series that have a value of a tag, not the empty one,
	// that matches.
	matching(key string, m *matcher) (*roaring.Bitmap, error)
	// same gives the series that have two tags with the same value.
	same(key, other string) (*roaring.Bitmap, error)
}

func (e *evaluation) eval(s source, p *model.Predicate) (*roaring.Bitmap, error) {
	if p == nil {
		return s.all()
	}
	switch p.Op {
	case model.And, model.Or:
		b, err := e.eval(s, p.Left)
		if err != nil || p.Op == model.And && b.IsEmpty() {
			return b, err
		}
		o, err := e.eval(s, p.Right)
		if err != nil {
			return nil, err
		}
		if p.Op == model.And {
			b.And(o)
		} else {
			b.Or(o)
		}
		return b, nil
	case model.Everything:
		return s.all()
	case model.Nothing:
		return roaring.New(), nil
	case model.SameTag:
		return s.same(p.Key, p.Value)
	case model.OtherTag:
		b, err := s.all()
		if err != nil {
			return nil, err
		}
		same, err := s.same(p.Key, p.Value)
		if err != nil {
			return nil, err
		}
		b.AndNot(same)
		return b, nil
	}
	if p.Key == model.MeasurementKey {
		return allOrNone(s, p.HoldsValue(s.name()))
	}
	return e.compare(s, p)
}

func allOrNone(s source, all bool) (*roaring.Bitmap, error) {
	if all {
		return s.all()
	}
	return roaring.New(), nil
}

// compare evaluates a comparison of a tag, looking at values that match only:
// each series has one value, or lacks the tag.
func (e *evaluation) compare(s source, p *model.Predicate) (*roaring.Bitmap, error) {
	m := e.matcher(p)
	has, ok, err := s.having(p.Key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return allOrNone(s, m.empty)
	}
	b, err := s.matching(p.Key, m)
	if err != nil {
		return nil, err
	}
	if m.negative {
		has.AndNot(b)
		b = has
	}
	if m.empty {
		lacking, err := s.all()
		if err != nil {
			return nil, err
		}
		if has, _, err = s.having(p.Key); err != nil {
			return nil, err
		}
		lacking.AndNot(has)
		b.Or(lacking)
	}
	return b, nil
}

// fileSource is a measurement of a file. Bitmaps refer to the file's bytes.
type fileSource struct {
	tagsRecord
	text []byte
}

func (s *fileSource) name() string { return string(s.text) }

func (s *fileSource) all() (*roaring.Bitmap, error) { return s.part.view(s.series) }

func (s *fileSource) section(key string) (t tagsSection, ok bool, err error) {
	i, ok := s.keys.find([]byte(key))
	if !ok {
		return t, false, nil
	}
	t, err = s.key(i)
	return t, true, err
}

func (s *fileSource) having(key string) (*roaring.Bitmap, bool, error) {
	t, ok, err := s.section(key)
	if !ok || err != nil {
		return nil, ok, err
	}
	b, err := s.part.view(t.has)
	return b, true, err
}

func (s *fileSource) matching(key string, m *matcher) (*roaring.Bitmap, error) {
	t, _, err := s.section(key)
	if err != nil {
		return nil, err
	}
	u := newUnion(&t)
	if m.isExact {
		for _, value := range m.exact {
			if i, ok := t.values.find([]byte(value)); ok {
				if err := u.add(i); err != nil {
					return nil, err
				}
			}
		}
		return u.result(), nil
	}
	if m.any {
		return s.part.view(t.has)
	}
	lo, hi := t.values.withPrefix(m.prefix)
	for i := lo; i < hi; i++ {
		if m.re.Match(t.values.at(i)) {
			if err := u.add(i); err != nil {
				return nil, err
			}
		}
	}
	if u.values == t.values.len() {
		return s.part.view(t.has)
	}
	return u.result(), nil
}

// withPrefix gives the range of the strings that begin with prefix.
func (t *texts) withPrefix(prefix string) (lo, hi int) {
	if prefix == "" {
		return 0, t.len()
	}
	lo, _ = t.find([]byte(prefix))
	hi = lo + sort.Search(t.len()-lo, func(i int) bool { return !bytes.HasPrefix(t.at(lo+i), []byte(prefix)) })
	return lo, hi
}

// union is the series of values of a section. Single ones are set in a bit
// array, since values are not in the order of their series.
type union struct {
	s      *tagsSection
	values int // added
	many   []*roaring.Bitmap
	one    []uint64 // bits, from the first series of the file on
	ones   []uint32 // instead, while they are few
}

// fewSeries is how many single series are sorted instead of set in a bit array.
const fewSeries = 1024

func newUnion(s *tagsSection) *union { return &union{s: s} }

func (u *union) add(value int) error {
	u.values++
	one, many, err := u.s.posting(value)
	if err != nil {
		return err
	}
	if many != nil {
		b, err := u.s.part.view(many)
		u.many = append(u.many, b)
		return err
	}
	if u.ones = append(u.ones, one); len(u.ones) == fewSeries {
		u.spill()
	}
	return nil
}

func (u *union) spill() {
	first := u.s.part.first
	if u.one == nil {
		u.one = make([]uint64, (u.s.part.end-first+63)/64)
	}
	for _, id := range u.ones {
		u.one[(id-first)/64] |= 1 << ((id - first) & 63)
	}
	u.ones = u.ones[:0]
}

func (u *union) result() *roaring.Bitmap {
	var b *roaring.Bitmap
	switch len(u.many) {
	case 0:
		b = roaring.New()
	case 1:
		b = u.many[0]
	default:
		b = roaring.FastOr(u.many...)
	}
	if u.one == nil {
		slices.Sort(u.ones)
		b.AddMany(u.ones)
		return b
	}
	u.spill()
	ids := u.ones[:0]
	for i, word := range u.one {
		for ; word != 0; word &= word - 1 {
			ids = append(ids, u.s.part.first+uint32(i*64+bits.TrailingZeros64(word)))
		}
		if len(ids) >= fewSeries {
			b.AddMany(ids)
			ids = ids[:0]
		}
	}
	b.AddMany(ids)
	return b
}

// own makes b refer to no file.
func own(b *roaring.Bitmap) { b.CloneCopyOnWriteContainers() }

func (f *File) selectInto(all *roaring.Bitmap, e *evaluation, name string) (err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	p, err := f.tags()
	if err != nil {
		return err
	}
	i, ok := p.names.find([]byte(name))
	if !ok {
		return nil
	}
	return f.checked(p.evalInto(all, e, i))
}

// checked notes damage that was met.
func (f *File) checked(err error) error {
	if err != nil {
		return f.fail(err)
	}
	return nil
}

func (f *File) matchInto(all *roaring.Bitmap, e *evaluation) (err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	p, err := f.tags()
	if err != nil {
		return err
	}
	for i := range p.names.len() {
		if err := p.evalInto(all, e, i); err != nil {
			return f.fail(err)
		}
	}
	return nil
}

func (p *tagsPart) evalInto(all *roaring.Bitmap, e *evaluation, i int) error {
	m, err := p.measurement(i)
	if err != nil {
		return err
	}
	b, err := e.eval(&fileSource{tagsRecord: m, text: p.names.at(i)}, e.where)
	if err != nil {
		return err
	}
	own(b)
	all.Or(b)
	return nil
}

func (f *File) addMeasurements(names map[string]bool, v *View, below uint32) (err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	p, err := f.tags()
	if err != nil {
		return err
	}
	for i := range p.names.len() {
		if names[textOf(p.names.at(i))] {
			continue
		}
		m, err := p.measurement(i)
		if err != nil {
			return f.fail(err)
		}
		b, err := p.view(m.series)
		if err != nil {
			return f.fail(err)
		}
		if v.live(b, below); !b.IsEmpty() {
			names[string(p.names.at(i))] = true
		}
	}
	return nil
}

func (f *File) addTagKeys(keys map[string]bool, v *View, name string, below uint32) (err error) {
	defer f.guard(debug.SetPanicOnFault(true), &err)
	p, err := f.tags()
	if err != nil {
		return err
	}
	i, ok := p.names.find([]byte(name))
	if !ok {
		return nil
	}
	m, err := p.measurement(i)
	if err != nil {
		return f.fail(err)
	}
	for k := range m.keys.len() {
		if keys[textOf(m.keys.at(k))] {
			continue
		}
		s, err := m.key(k)
		if err != nil {
			return f.fail(err)
		}
		b, err := p.view(s.has)
		if err != nil {
			return f.fail(err)
		}
		if v.live(b, below); !b.IsEmpty() {
			keys[string(m.keys.at(k))] = true
		}
	}
	return nil
}

// deltaSource is a measurement in memory.
type deltaSource struct{ m *measurement }

func (s deltaSource) name() string { return s.m.name }

func (s deltaSource) all() (*roaring.Bitmap, error) { return roaring.BitmapOf(s.m.series...), nil }

func (s deltaSource) having(key string) (*roaring.Bitmap, bool, error) {
	c := s.m.keys[key]
	if c == nil {
		return nil, false, nil
	}
	return roaring.BitmapOf(c.series...), true, nil
}

func (s deltaSource) matching(key string, m *matcher) (*roaring.Bitmap, error) {
	return s.m.keys[key].matching(m), nil
}

func (c *tagColumn) matching(m *matcher) *roaring.Bitmap {
	if m.any {
		return roaring.BitmapOf(c.series...)
	}
	matches := make([]bool, len(c.values))
	if m.isExact {
		for _, value := range m.exact {
			if s, ok := c.symbols[value]; ok {
				matches[s] = true
			}
		}
	} else {
		for s, value := range c.values {
			matches[s] = strings.HasPrefix(value, m.prefix) && m.re.MatchString(value)
		}
	}
	var ids []uint32
	for i, s := range c.symbol {
		if matches[s] {
			ids = append(ids, c.series[i])
		}
	}
	return roaring.BitmapOf(ids...)
}

// The postings of a delta know what is looked for only after they are built.

func (d *delta) selectInto(all *roaring.Bitmap, e *evaluation, name string) {
	d.tags.Lock()
	defer d.tags.Unlock()
	d.buildLocked()
	if m := d.tags.byName[name]; m != nil {
		d.evalInto(all, e, m)
	}
}

func (d *delta) matchInto(all *roaring.Bitmap, e *evaluation) {
	d.tags.Lock()
	defer d.tags.Unlock()
	d.buildLocked()
	for _, m := range d.tags.byName {
		d.evalInto(all, e, m)
	}
}

func (d *delta) evalInto(all *roaring.Bitmap, e *evaluation, m *measurement) {
	b, err := e.eval(deltaSource{m}, e.where)
	if err != nil {
		panic("index: " + err.Error()) // it is in memory
	}
	all.Or(b)
}

func (d *delta) addMeasurements(names map[string]bool, v *View, below uint32) {
	d.tags.Lock()
	defer d.tags.Unlock()
	d.buildLocked()
	for name, m := range d.tags.byName {
		if !names[name] && v.anyLive(m.series, below) {
			names[name] = true
		}
	}
}

func (d *delta) addTagKeys(keys map[string]bool, v *View, name string, below uint32) {
	d.tags.Lock()
	defer d.tags.Unlock()
	d.buildLocked()
	m := d.tags.byName[name]
	if m == nil {
		return
	}
	for key, c := range m.keys {
		if !keys[key] && v.anyLive(c.series, below) {
			keys[key] = true
		}
	}
}

// anyLive reports whether a series is below below and not buried.
func (v *View) anyLive(series []uint32, below uint32) bool {
	v.x.mu.RLock()
	defer v.x.mu.RUnlock()
	for _, id := range series {
		if id >= below {
			break
		}
		if !v.x.mu.dead.Contains(id) {
			return true
		}
	}
	return false
}
