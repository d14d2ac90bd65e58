package exec

import (
	"unsafe"

	"github.com/varvedb/varve/model"
)

// vector is the values of an expression: a column, or one value for all rows.
// A vector of type 0 has no values.
type vector struct {
	model.Column
	constant bool // only slot 0 counts
}

// step is what to add to a slot's index for the next row.
func (v *vector) step() int {
	if v.constant {
		return 0
	}
	return 1
}

// has reports whether row i has a value.
func (v *vector) has(i int) bool {
	if v.Type == 0 {
		return false
	}
	return v.Has(i * v.step())
}

// full reports whether every row has a value, as far as that is easily known.
func (v *vector) full() bool {
	return v.Type != 0 && (v.Present == nil || v.constant && v.Present.Get(0))
}

// column gives v as a column of n rows, which may share v's memory.
func (v *vector) column(n int) model.Column {
	switch {
	case v.Type == 0:
		return missing(model.Float, n)
	case !v.constant:
		return v.Column
	case !v.full():
		return missing(v.Type, n)
	}
	c := model.Column{Field: v.Field}
	if v.Type == model.String {
		text := v.Bytes(0)
		c.Ends = make([]uint32, n)
		c.Text = make([]byte, 0, n*len(text))
		for i := range n {
			c.Text = append(c.Text, text...)
			c.Ends[i] = uint32(len(c.Text))
		}
		return c
	}
	c.Bits = make([]uint64, n)
	for i := range c.Bits {
		c.Bits[i] = v.Bits[0]
	}
	return c
}

// missing gives a column of n rows without values.
func missing(t model.FieldType, n int) model.Column {
	c := model.Column{Field: model.Field{Type: t}, Present: model.NewBitmap(n)}
	if t == model.String {
		c.Ends = make([]uint32, n)
	} else {
		c.Bits = make([]uint64, n)
	}
	return c
}

// constantText gives a vector of one text for all rows.
func constantText(s string) vector {
	return vector{constant: true, Column: model.Column{
		Field: model.Field{Type: model.String}, Ends: []uint32{uint32(len(s))}, Text: []byte(s),
	}}
}

// both gives the presence of rows that have a value in l and in r, nil for all.
func both(l, r *vector, n int) model.Bitmap {
	switch {
	case l.full() && r.full():
		return nil
	case l.full() && !r.constant:
		return r.Present
	case r.full() && !l.constant:
		return l.Present
	}
	p := model.NewBitmap(n)
	if l.constant && !l.full() || r.constant && !r.full() || l.Type == 0 || r.Type == 0 {
		return p
	}
	for i := range p {
		p[i] = l.Present[i] & r.Present[i]
	}
	return p
}

// number is a type whose values a column holds as their bits.
type number interface{ float64 | int64 | uint64 }

// view gives the slots of a column of numbers as T, sharing memory.
func view[T number](bits []uint64) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(bits))), len(bits))
}

// as gives v, which holds numbers, with another type of number. Floats are cut
// towards zero, and integers keep their bits when they change their sign.
func (v *vector) as(t model.FieldType) vector {
	if v.Type == t || v.Type == 0 {
		return *v
	}
	out := vector{constant: v.constant}
	out.Field = model.Field{Name: v.Name, Type: t}
	out.Present = v.Present
	out.Bits = make([]uint64, len(v.Bits))
	switch {
	case v.Type == model.Integer && t == model.Float:
		convert(view[float64](out.Bits), view[int64](v.Bits))
	case v.Type == model.Unsigned && t == model.Float:
		convert(view[float64](out.Bits), v.Bits)
	case v.Type == model.Float && t == model.Integer:
		convert(view[int64](out.Bits), view[float64](v.Bits))
	case v.Type == model.Float && t == model.Unsigned:
		convert(out.Bits, view[float64](v.Bits))
	default:
		copy(out.Bits, v.Bits)
	}
	return out
}

func convert[To, From number](dst []To, src []From) {
	for i, x := range src {
		dst[i] = To(x)
	}
}
