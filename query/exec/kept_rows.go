package exec

import (
	"bytes"
	"context"
	"fmt"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

// appendRow adds row i of o, which has columns of the same types, at a time.
func (p *points) appendRow(o *points, i int, at int64) {
	p.times = append(p.times, at)
	p.value.AppendRow(&o.value, i)
	for c := range p.aux {
		p.aux[c].AppendRow(&o.aux[c], i)
	}
}

// keptRows is rows of a window that a stage keeps, in order of arrival. Those
// that the stage no longer needs stay until compact.
type keptRows struct {
	points
	ctx   context.Context // ends what takes long
	held  *budget
	bytes int // that are counted
}

// maxKeptText bounds the texts of a column, which can address 4 GB.
const maxKeptText = 2 << 30

// indexBytes is what a stage takes to speak of a row.
const indexBytes = 8

// append keeps row i of in and gives its index. The caller looks after count.
func (k *keptRows) append(in *points, i int) int {
	if k.value.Type == 0 {
		k.value.Type = in.value.Type
		k.aux = make([]model.Column, len(in.aux))
		for c := range k.aux {
			k.aux[c].Type = in.aux[c].Type
		}
	}
	k.appendRow(in, i, in.times[i])
	return len(k.times) - 1
}

// count counts what is kept. A row has at most some megabytes, so it is enough
// to call it every few rows.
func (k *keptRows) count() error {
	bytes := (8 + indexBytes) * cap(k.times)
	for c := -1; c < len(k.aux); c++ {
		col := &k.value
		if c >= 0 {
			col = &k.aux[c]
		}
		if len(col.Text) > maxKeptText {
			return &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("texts of a window have %d bytes, the limit is %d", len(col.Text), maxKeptText)}
		}
		bytes += 8*cap(col.Bits) + 4*cap(col.Ends) + cap(col.Text)
	}
	if err := k.held.take(bytes - k.bytes); err != nil {
		return err
	}
	k.bytes = bytes
	return nil
}

// compact leaves only the rows listed, in that order.
func (k *keptRows) compact(rows []int) {
	old := k.points
	k.points = points{times: make([]int64, 0, len(rows)), value: model.Column{Field: old.value.Field}, aux: make([]model.Column, len(old.aux))}
	for c := range k.aux {
		k.aux[c].Type = old.aux[c].Type
	}
	for _, i := range rows {
		k.appendRow(&old, i, old.times[i])
	}
}

// reset drops all rows and keeps the memory.
func (p *points) reset() {
	p.times = p.times[:0]
	p.value.Reset()
	for c := range p.aux {
		p.aux[c].Reset()
	}
}

// passage tells a stage when it comes from one window into another.
type passage struct {
	window     *plan.Window
	entered    bool
	start, end int64
}

// left reports whether the next point, at t, is in another window than the one
// before.
func (p *passage) left(t int64) bool {
	return p.entered && !p.window.IsZero() && (t < p.start || t >= p.end)
}

// enter takes the time of a point.
func (p *passage) enter(t int64) {
	if p.entered && !p.left(t) {
		return
	}
	p.entered = true
	if !p.window.IsZero() {
		p.start, p.end = p.window.Bounds(t)
	}
}

// sortByTime puts rows in the order of the statement. Those of equal time stay as
// they are.
func (k *keptRows) sortByTime(rows []int, descending bool) error {
	return sortStable(k.ctx, rows, func(i, j int) int {
		if descending {
			i, j = j, i
		}
		return compare(k.times[i], k.times[j])
	})
}

// orderValues compares the values of two rows; false is less than true.
func (p *points) orderValues(i, j int) int {
	if p.value.Type == model.String {
		return bytes.Compare(p.value.Bytes(i), p.value.Bytes(j))
	}
	c := cells{t: p.value.Type}
	return c.order(p.value.Bits[i], p.value.Bits[j])
}
