package exec

import (
	"bytes"
	"cmp"
	"slices"
	"sort"

	"github.com/varvedb/varve/model"
)

// rawGroup makes a series of raw rows. members are the streams that have the
// group now; waiting are streams that were not read yet, in order of time, and
// have no other group.
func (g *grouper) rawGroup(key []string, members, waiting []*head) error {
	w := g.series(key)
	members = slices.Clone(members)
	for !w.full {
		// Read what can have the next row.
		for len(waiting) > 0 && (len(members) == 0 || g.mayPrecede(waiting[0], members)) {
			h := waiting[0]
			waiting = waiting[1:]
			if err := h.advance(g.ctx); err != nil {
				return err
			}
			if h.part != nil {
				members = append(members, h)
			}
		}
		if len(members) == 0 {
			break
		}
		best := g.earliest(members)
		h := members[best]
		n := g.run(members, best, waiting)
		if err := w.write(h.take(n)); err != nil {
			return err
		}
		if h.row < len(h.part.Times) {
			continue
		}
		if err := h.advance(g.ctx); err != nil {
			return err
		}
		if h.part == nil || !slices.Equal(h.part.Group, key) {
			members = slices.Delete(members, best, best+1)
		}
	}
	if len(g.b.GroupBy) > 0 {
		if err := skipGroup(g.ctx, key, members); err != nil {
			return err
		}
	}
	return w.close()
}

// before reports whether time s comes before t in the result.
func (g *grouper) before(s, t int64) bool { return (s < t) != g.b.Descending && s != t }

// first gives the first time that a stream can have.
func (g *grouper) first(h *head) int64 {
	if g.b.Descending {
		return h.stream.Range().Max
	}
	return h.stream.Range().Min
}

// mayPrecede reports whether a stream that was not read yet can have a row
// that is not after the next ones of members.
func (g *grouper) mayPrecede(h *head, members []*head) bool {
	m := members[g.earliest(members)]
	return !g.before(m.part.Times[m.row], g.first(h))
}

// order says which of two rows comes first in the result, as a shard does among
// its own: the earlier one, and of equal times the one with the lower leading
// texts. Without such texts it is 0.
func (g *grouper) order(x *Partial, i int, y *Partial, j int) int {
	c := cmp.Compare(x.Times[i], y.Times[j])
	for n := 0; c == 0 && n < len(x.Columns); n++ {
		v, w := &x.Columns[n], &y.Columns[n]
		if v.Type != model.String || !v.Has(i) || !w.Has(j) {
			break
		}
		c = bytes.Compare(v.Bytes(i), w.Bytes(j))
	}
	if g.b.Descending {
		return -c
	}
	return c
}

// earliest gives the member with the next row.
func (g *grouper) earliest(members []*head) int {
	best := 0
	for i, h := range members[1:] {
		if b := members[best]; g.order(h.part, h.row, b.part, b.row) < 0 {
			best = i + 1
		}
	}
	return best
}

// run gives the number of rows of members[best] that come before those of all
// other streams.
func (g *grouper) run(members []*head, best int, waiting []*head) int {
	h := members[best]
	n := len(h.part.Times) - h.row
	shorten := func(past func(row int) bool) {
		n = max(1, sort.Search(n, func(i int) bool { return past(h.row + i) }))
	}
	for i, o := range members {
		if i != best {
			shorten(func(row int) bool {
				c := g.order(h.part, row, o.part, o.row)
				return c > 0 || c == 0 && i < best
			})
		}
	}
	for _, o := range waiting {
		shorten(func(row int) bool { return !g.before(h.part.Times[row], g.first(o)) })
	}
	return n
}

// take gives the next n rows.
func (h *head) take(n int) (times []int64, slots []model.Column) {
	lo, hi := h.row, h.row+n
	h.row = hi
	if lo == 0 && hi == len(h.part.Times) {
		return h.part.Times, h.part.Columns
	}
	slots = make([]model.Column, len(h.part.Columns))
	for i := range slots {
		slots[i] = cut(&h.part.Columns[i], lo, hi)
	}
	return h.part.Times[lo:hi:hi], slots
}
