package query

import (
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

// chunker cuts and joins the pieces of each series to a size. With size 0 it
// hands them on as they come. Pieces of very wide rows are shorter.
type chunker struct {
	size  int
	emit  func(*exec.Rows) error
	held  exec.Rows // of the current series, fewer than size rows
	bytes int       // of held
}

// maxHeldBytes bounds a piece: clients choose the size. It is well below what an
// encoder takes that collects a piece.
const maxHeldBytes = 32 << 20

// add takes the next piece.
func (c *chunker) add(r *exec.Rows) error {
	n := r.Len()
	if c.size <= 0 || c.held.Len() == 0 && (n == c.size || n < c.size && !r.More) {
		return c.emit(r)
	}
	for i := range n {
		if c.held.Len() == 0 {
			c.hold(r)
		}
		if r.Times != nil {
			c.held.Times = append(c.held.Times, r.Times[i])
		}
		for k := range r.Values {
			v := &c.held.Values[k]
			c.bytes -= len(v.Text)
			v.AppendRow(&r.Values[k], i)
			c.bytes += len(v.Text) + 8
		}
		if c.held.Len() == c.size || c.bytes >= maxHeldBytes {
			if err := c.give(i+1 < n || r.More); err != nil {
				return err
			}
		}
	}
	if c.held.Len() > 0 && !r.More {
		return c.give(false)
	}
	return nil
}

// hold begins a piece of r's series.
func (c *chunker) hold(r *exec.Rows) {
	c.held = *r
	if r.Times != nil {
		c.held.Times = make([]int64, 0, min(c.size, r.Len()))
	}
	c.held.Values = make([]model.Column, len(r.Values))
	for k := range r.Values {
		c.held.Values[k].Field = r.Values[k].Field
	}
}

// give hands on what is held.
func (c *chunker) give(more bool) error {
	c.held.More = more
	err := c.emit(&c.held)
	c.held, c.bytes = exec.Rows{}, 0
	return err
}
