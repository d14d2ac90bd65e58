package index

import (
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
)

// Select gives the series of a measurement for which where holds, with ids
// less than below, without buried ones. The caller owns the result.
func (x *Index) Select(name string, where *model.Predicate, below uint32) *roaring.Bitmap {
	x.mu.RLock()
	defer x.mu.RUnlock()
	mi, ok := x.mu.measurements[name]
	if !ok {
		return roaring.New()
	}
	b := x.mu.names[mi].eval(where)
	x.trimLocked(b, below)
	return b
}

// Match gives the series of all measurements for which where holds, buried
// ones among them: what a delete covers. The caller owns the result.
func (x *Index) Match(where *model.Predicate) *roaring.Bitmap {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := roaring.New()
	for _, m := range x.mu.names {
		all.Or(m.eval(where))
	}
	return all
}

// Measurements gives the names of those measurements that have a series with
// an id less than below that is not buried, sorted.
func (x *Index) Measurements(below uint32) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var names []string
	for _, m := range x.mu.names {
		if !x.liveLocked(m, below).IsEmpty() {
			names = append(names, m.name)
		}
	}
	slices.Sort(names)
	return names
}

// TagKeys gives the tag keys of those series of a measurement that have an id
// less than below and are not buried, sorted.
func (x *Index) TagKeys(name string, below uint32) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	mi, ok := x.mu.measurements[name]
	if !ok {
		return nil
	}
	m := x.mu.names[mi]
	keys := m.sortedKeys()
	live := x.liveLocked(m, below)
	if live.GetCardinality() == m.series.GetCardinality() {
		return keys
	}
	return slices.DeleteFunc(keys, func(key string) bool {
		for _, p := range m.keys[key].values {
			if p.intersects(live) {
				return false
			}
		}
		return true
	})
}

// Live gives the number of series with an id less than below that are not buried.
func (x *Index) Live(below uint32) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	below = min(below, x.lenLocked())
	if below == 0 {
		return 0
	}
	return int(below) - int(x.mu.dead.Rank(below-1))
}

// liveLocked may give m's own set, which must not be changed.
func (x *Index) liveLocked(m *measurement, below uint32) *roaring.Bitmap {
	if x.mu.dead.IsEmpty() && (m.series.IsEmpty() || m.series.Maximum() < below) {
		return m.series
	}
	b := m.series.Clone()
	x.trimLocked(b, below)
	return b
}

func (x *Index) trimLocked(b *roaring.Bitmap, below uint32) {
	b.RemoveRange(uint64(below), math.MaxUint32+1)
	if !x.mu.dead.IsEmpty() {
		b.AndNot(x.mu.dead)
	}
}

// eval gives a set that the caller owns.
func (m *measurement) eval(p *model.Predicate) *roaring.Bitmap {
	if p == nil {
		return m.series.Clone()
	}
	switch p.Op {
	case model.And:
		b := m.eval(p.Left)
		if !b.IsEmpty() {
			b.And(m.eval(p.Right))
		}
		return b
	case model.Or:
		b := m.eval(p.Left)
		b.Or(m.eval(p.Right))
		return b
	case model.Everything:
		return m.series.Clone()
	case model.Nothing:
		return roaring.New()
	}
	if p.Key == model.MeasurementKey {
		return m.allOrNone(p.HoldsValue(m.name))
	}
	k := m.keys[p.Key]
	if k == nil {
		return m.allOrNone(p.HoldsValue(""))
	}
	return m.evalTag(k, p)
}

func (m *measurement) allOrNone(all bool) *roaring.Bitmap {
	if all {
		return m.series.Clone()
	}
	return roaring.New()
}

// evalTag evaluates p once per value of k. Series without the tag have the
// value "", which no posting lists: where p holds for it, the result is all
// series but those with a value for which p does not hold.
func (m *measurement) evalTag(k *tagKey, p *model.Predicate) *roaring.Bitmap {
	empty := p.HoldsValue("")
	b := m.allOrNone(empty)
	switch {
	case p.Op == model.Equal && !empty:
		if v, ok := k.values[p.Value]; ok {
			v.addTo(b)
		}
	case p.Op == model.NotEqual && empty:
		if v, ok := k.values[p.Value]; ok {
			v.removeFrom(b)
		}
	default:
		for value, v := range k.values {
			switch holds := p.HoldsValue(value); {
			case holds && !empty:
				v.addTo(b)
			case !holds && empty:
				v.removeFrom(b)
			}
		}
	}
	return b
}
