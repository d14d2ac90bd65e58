package model

import (
	"math"
	"unsafe"
)

// Column is the values of one field, one slot per row. A slot of a row that
// has no value is unspecified (zero where a Column is built by Append).
//
// Numbers and booleans live in Bits: the bits of a float64, an int64, a uint64,
// or 0 and 1. Strings live in Text, slot i being Text[Ends[i-1]:Ends[i]].
type Column struct {
	Field
	Present Bitmap   // nil: every row has a value
	Bits    []uint64 // one per row; nil for String
	Ends    []uint32 // one per row, for String: where slot i ends in Text
	Text    []byte
}

// Len gives the number of rows.
func (c *Column) Len() int {
	if c.Type == String {
		return len(c.Ends)
	}
	return len(c.Bits)
}

// Has reports whether row i has a value.
func (c *Column) Has(i int) bool { return c.Present.Get(i) }

// Count gives the number of rows that have a value.
func (c *Column) Count() int {
	if c.Present == nil {
		return c.Len()
	}
	return c.Present.Count()
}

// Bytes gives the text of row i of a String column. It points into c.
func (c *Column) Bytes(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = c.Ends[i-1]
	}
	return c.Text[start:c.Ends[i]:c.Ends[i]]
}

// AppendBits adds a row with a value to a column that is not of type String.
func (c *Column) AppendBits(v uint64) {
	n := len(c.Bits)
	c.Bits = append(c.Bits, v)
	c.present(n)
}

// AppendText adds a row with a value to a column of type String.
func (c *Column) AppendText(v []byte) {
	n := len(c.Ends)
	c.Text = append(c.Text, v...)
	c.Ends = append(c.Ends, uint32(len(c.Text)))
	c.present(n)
}

func (c *Column) present(row int) {
	if c.Present != nil {
		c.Present = c.Present.Grow(row + 1)
		c.Present.Set(row)
	}
}

// AppendNull adds a row without a value.
func (c *Column) AppendNull() {
	n := c.Len()
	if c.Present == nil {
		c.Present = NewBitmap(n + 1)
		for i := range n {
			c.Present.Set(i)
		}
	}
	c.Present = c.Present.Grow(n + 1)
	if c.Type == String {
		c.Ends = append(c.Ends, uint32(len(c.Text)))
		return
	}
	c.Bits = append(c.Bits, 0)
}

// AppendRow adds row i of o, which has the same type, to c.
func (c *Column) AppendRow(o *Column, i int) {
	switch {
	case !o.Has(i):
		c.AppendNull()
	case c.Type == String:
		c.AppendText(o.Bytes(i))
	default:
		c.AppendBits(o.Bits[i])
	}
}

// Reset empties c and keeps its memory; name and type stay.
func (c *Column) Reset() {
	c.Present = nil
	c.Bits = c.Bits[:0]
	c.Ends = c.Ends[:0]
	c.Text = c.Text[:0]
}

// Float64s gives the values of a Float column, sharing its memory.
func (c *Column) Float64s() []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(c.Bits))), len(c.Bits))
}

// Int64s gives the values of an Integer column, sharing its memory.
func (c *Column) Int64s() []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(c.Bits))), len(c.Bits))
}

// Value gives row i as float64, int64, uint64, string or bool, or nil. It is
// for tests, results and other places where an allocation does not matter.
func (c *Column) Value(i int) any {
	if !c.Has(i) {
		return nil
	}
	switch c.Type {
	case Float:
		return math.Float64frombits(c.Bits[i])
	case Integer:
		return int64(c.Bits[i])
	case Unsigned:
		return c.Bits[i]
	case String:
		return string(c.Bytes(i))
	case Boolean:
		return c.Bits[i] != 0
	}
	return nil
}

// Stats is what is known of a run of values without reading them. First, Last,
// Min, Max and Sum hold bits as in Column.Bits; Sum of integers wraps, as
// InfluxDB's sum does, and Sum of floats is the sequential sum in time order.
// Strings have Count only; booleans have no Sum.
type Stats struct {
	Count                      int // rows that have a value
	First, Last, Min, Max, Sum uint64
}

// Pick gives a column of the given rows of c.
func (c *Column) Pick(rows []int32) Column {
	out := Column{Field: c.Field}
	if c.Present != nil || c.Type == String {
		for _, row := range rows {
			out.AppendRow(c, int(row))
		}
		return out
	}
	out.Bits = make([]uint64, len(rows))
	for i, row := range rows {
		out.Bits[i] = c.Bits[row]
	}
	return out
}
