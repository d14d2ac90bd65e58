package lineprotocol

import (
	"github.com/varvedb/varve/model"
)

// table is the rows of a measurement while a body is parsed. Its fields are
// valid only while batch is the worker's.
type table struct {
	batch   uint32
	series  []uint32
	times   []int64
	columns []*column // in order of their first value
	hint    int       // rows of the last body
}

// maxHint bounds the rows for which room is made at once.
const maxHint = 64 << 10

// column is the values of one field and type while a body is parsed. As long
// as no row lacks a value, rows is nil; then it names the row of each value. So
// a column costs what its values cost, however many rows there are.
type column struct {
	field model.Field
	batch uint32
	rows  []uint32
	bits  []uint64
	ends  []uint32
	text  []byte
	hint  int // bytes of text in the last body
}

// len gives the number of values.
func (c *column) len() int {
	if c.field.Type == model.String {
		return len(c.ends)
	}
	return len(c.bits)
}

// row notes that the next value is of row i. Rows come in ascending order.
func (c *column) row(i int) {
	n := c.len()
	if c.rows == nil {
		if n == i {
			return
		}
		c.rows = make([]uint32, n, 2*n+8)
		for j := range c.rows {
			c.rows[j] = uint32(j)
		}
	}
	c.rows = append(c.rows, uint32(i))
}

// rowOf gives the row of value k.
func (c *column) rowOf(k int) int {
	if c.rows == nil {
		return k
	}
	return int(c.rows[k])
}

// has reports whether the column has a value of row i, which no value comes
// after.
func (c *column) has(i int) bool {
	n := c.len()
	return n > 0 && c.rowOf(n-1) == i
}

// value gives value k of a column of type String.
func (c *column) value(k int) []byte {
	start := uint32(0)
	if k > 0 {
		start = c.ends[k-1]
	}
	return c.text[start:c.ends[k]]
}

// release drops what a finished body left behind.
func (t *table) release() {
	for _, c := range t.columns {
		*c = column{field: c.field, hint: min(len(c.text), maxIdleBytes)}
	}
	*t = table{columns: t.columns[:0], hint: t.hint}
}
