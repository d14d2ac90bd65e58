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
	rows := &groupRows{grouper: g, key: key, members: slices.Clone(members), waiting: waiting}
	for !w.full {
		times, slots, err := rows.next()
		if err != nil {
			return err
		}
		if len(times) == 0 {
			break
		}
		if err := w.write(times, slots); err != nil {
			return err
		}
	}
	if len(g.b.GroupBy) > 0 {
		if err := skipGroup(g.ctx, key, members); err != nil {
			return err
		}
	}
	return w.close()
}

// groupRows merges the raw rows of a group, in the order of the result.
type groupRows struct {
	*grouper
	key     []string
	members []*head // the streams that have the group now
	waiting []*head // as of rawGroup
	last    *head   // where the last rows came from
}

// next gives rows, which belong to the caller; none at the end. It reads a
// stream only when it can have the next row.
func (r *groupRows) next() (times []int64, columns []model.Column, err error) {
	if err := r.leave(); err != nil {
		return nil, nil, err
	}
	for len(r.waiting) > 0 && (len(r.members) == 0 || r.mayPrecede(r.waiting[0], r.members)) {
		h := r.waiting[0]
		r.waiting = r.waiting[1:]
		if err := h.advance(r.ctx); err != nil {
			return nil, nil, err
		}
		if h.part != nil {
			r.members = append(r.members, h)
		}
	}
	if len(r.members) == 0 {
		return nil, nil, nil
	}
	best := r.earliest(r.members)
	r.last = r.members[best]
	times, columns = r.last.take(r.run(r.members, best, r.waiting))
	return times, columns, nil
}

// leave moves the stream of the last rows to its next partial where it has no
// more rows. It is not done before they are written: what a LIMIT cuts off need
// not be read.
func (r *groupRows) leave() error {
	h := r.last
	if h == nil || h.row < len(h.part.Times) {
		return nil
	}
	r.last = nil
	if err := h.advance(r.ctx); err != nil {
		return err
	}
	if h.part == nil || !slices.Equal(h.part.Group, r.key) {
		r.members = slices.DeleteFunc(r.members, func(x *head) bool { return x == h })
	}
	return nil
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
