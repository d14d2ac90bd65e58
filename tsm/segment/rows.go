package segment

import (
	"slices"

	"github.com/varvedb/varve/model"
)

// column is a model.Column that keeps the memory of its presence.
type column struct {
	model.Column
	bitmap model.Bitmap
}

// nulls adds n rows without a value.
func (c *column) nulls(n int) {
	rows := c.Len()
	c.sparse(rows + n)
	if c.Type == model.String {
		for range n {
			c.Ends = append(c.Ends, uint32(len(c.Text)))
		}
		return
	}
	c.Bits = slices.Grow(c.Bits, n)[:rows+n]
	clear(c.Bits[rows:])
}

// sparse makes room for presence of n rows, those after the present ones being
// without a value.
func (c *column) sparse(n int) {
	rows := c.Len()
	if c.Present == nil {
		c.bitmap = c.bitmap[:0].Grow(rows)
		for i := range c.bitmap {
			c.bitmap[i] = ^uint64(0)
		}
		if rows&63 != 0 {
			c.bitmap[len(c.bitmap)-1] = 1<<(rows&63) - 1
		}
	}
	c.bitmap = c.bitmap.Grow(n)
	c.Present = c.bitmap
}

// add appends the rows from to to-1 of o, which has c's type.
func (c *column) add(o *model.Column, from, to int) {
	if o.Present != nil || c.Present != nil {
		rows := c.Len()
		c.sparse(rows + to - from)
		for i := from; i < to; i++ {
			if o.Has(i) {
				c.Present.Set(rows + i - from)
			}
		}
	}
	if c.Type != model.String {
		c.Bits = append(c.Bits, o.Bits[from:to]...)
		return
	}
	start := uint32(0)
	if from > 0 {
		start = o.Ends[from-1]
	}
	shift := uint32(len(c.Text)) - start
	if to > from {
		c.Text = append(c.Text, o.Text[start:o.Ends[to-1]]...)
	}
	for _, end := range o.Ends[from:to] {
		c.Ends = append(c.Ends, end+shift)
	}
}

// part makes c the rows from to to-1 of o, sharing o's numbers and text.
func (c *column) part(o *model.Column, from, to int) {
	c.Field = o.Field
	c.Present = nil
	if o.Present != nil {
		c.bitmap = shifted(c.bitmap, o.Present, from, to-from)
		if c.bitmap.Count() < to-from {
			c.Present = c.bitmap
		}
	}
	if o.Type != model.String {
		c.Bits = o.Bits[from:to:to]
		return
	}
	start, end := uint32(0), uint32(0)
	if from > 0 {
		start = o.Ends[from-1]
	}
	if to > 0 {
		end = o.Ends[to-1]
	}
	c.Text = o.Text[start:end:end]
	c.Ends = c.Ends[:0]
	for _, end := range o.Ends[from:to] {
		c.Ends = append(c.Ends, end-start)
	}
}

// shifted copies n bits of b from a bit on into dst's memory. Bits beyond are
// clear.
func shifted(dst, b model.Bitmap, from, n int) model.Bitmap {
	dst = dst[:0].Grow(n)
	word, shift := from>>6, from&63
	for i := range dst {
		w := b[word+i] >> shift
		if shift > 0 && word+i+1 < len(b) {
			w |= b[word+i+1] << (64 - shift)
		}
		dst[i] = w
	}
	if n&63 != 0 {
		dst[len(dst)-1] &= 1<<(n&63) - 1
	}
	return dst
}

// drop removes the first n rows.
func (c *column) drop(n int) {
	rows := c.Len()
	if c.Present != nil {
		rest := shifted(nil, c.Present, n, rows-n)
		c.bitmap = append(c.bitmap[:0], rest...)
		c.Present = c.bitmap
	}
	if c.Type != model.String {
		c.Bits = c.Bits[:copy(c.Bits, c.Bits[n:])]
		return
	}
	if n == 0 {
		return
	}
	start := c.Ends[n-1]
	c.Text = c.Text[:copy(c.Text, c.Text[start:])]
	c.Ends = c.Ends[:copy(c.Ends, c.Ends[n:])]
	for i := range c.Ends {
		c.Ends[i] -= start
	}
}

// buffer is rows on their way into granules, with a column for each field of
// the measurement so far.
type buffer struct {
	times    []int64
	versions []int64 // indexes into the file's table; empty when there is none
	columns  []column
}

func (b *buffer) rows() int { return len(b.times) }

// text gives the bytes of strings in the rows from to to-1.
func (b *buffer) text(from, to int) int {
	n := 0
	for i := range b.columns {
		if c := &b.columns[i]; c.Type == model.String && to > from {
			n += int(c.Ends[to-1])
			if from > 0 {
				n -= int(c.Ends[from-1])
			}
		}
	}
	return n
}

// field adds a column, of which the rows so far have no value.
func (b *buffer) field(f model.Field) {
	c := column{Column: model.Column{Field: f}}
	if n := b.rows(); n > 0 {
		c.nulls(n)
	}
	b.columns = append(b.columns, c)
}

func (b *buffer) reset() {
	b.times, b.versions = b.times[:0], b.versions[:0]
	for i := range b.columns {
		b.columns[i].Reset()
	}
}

// drop removes the first n rows.
func (b *buffer) drop(n int) {
	if n == b.rows() {
		b.reset()
		return
	}
	b.times = b.times[:copy(b.times, b.times[n:])]
	if len(b.versions) > 0 {
		b.versions = b.versions[:copy(b.versions, b.versions[n:])]
	}
	for i := range b.columns {
		b.columns[i].drop(n)
	}
}

// move appends all rows of o, which has the same columns, and empties o.
func (b *buffer) move(o *buffer) {
	n := o.rows()
	b.times = append(b.times, o.times...)
	b.versions = append(b.versions, o.versions...)
	for i := range b.columns {
		b.columns[i].add(&o.columns[i].Column, 0, n)
	}
	o.reset()
}
