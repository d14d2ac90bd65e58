package block

import (
	"math/bits"

	"github.com/varvedb/varve/model"
)

// Decoder turns blocks back into columns. It holds scratch memory and is for
// one goroutine; the zero Decoder is ready.
//
// Blocks may hold anything: what does not decode to exactly the rows asked for
// is model.ErrCorrupt. No more memory is taken than those rows need; strings
// take at most 22 times the block, or 4 MiB where that is more.
type Decoder struct {
	entries entries // of a block with a dictionary
	zstd    expander
	texts   texts        // strings of the rows that have one
	values  model.Bitmap // of a column of booleans

	symbols         []byte   // of a block with a table
	gaps, residuals []uint64 // when it is sparse
}

// Ints decodes a block of n integers into dst's memory, which grows if needed.
func (d *Decoder) Ints(dst []int64, n int, p []byte) ([]int64, error) {
	if n < 0 || n > MaxRows {
		return dst, model.ErrCorrupt
	}
	dst = resize(dst, n)
	if n == 0 {
		if len(p) != 0 {
			return dst, model.ErrCorrupt
		}
		return dst, nil
	}
	return dst, decodeInts(words(dst), p)
}

// Column decodes a block of n rows of c.Type into the memory of c's Bits, Ends
// and Text, which grow if needed. Present becomes nil when every row has a
// value, and otherwise *present, whose memory is used in the same way. Slots
// of rows without a value are zero. After an error c holds nothing of use.
//
// table is the number of the table in t that the block needs; 0 is none, and t
// may be nil then.
func (d *Decoder) Column(c *model.Column, present *model.Bitmap, n int, p []byte, t *Tables, table int) error {
	if n < 0 || n > MaxRows || !c.Type.Valid() {
		return model.ErrCorrupt
	}
	c.Reset()
	if n == 0 {
		if len(p) != 0 {
			return model.ErrCorrupt
		}
		return nil
	}
	var shared *entries
	if table != 0 {
		of, ok := t.get(table)
		if !ok || !of.suits(c.Type) {
			return model.ErrCorrupt
		}
		if c.Type != model.String {
			return d.coded(c, present, n, p, t, of)
		}
		shared = &of.entries
	}
	r := reader{p: p}
	got, ok := r.bitmap(*present, n)
	if !ok {
		return model.ErrCorrupt
	}
	m := n // rows that have a value
	if got != nil {
		*present, c.Present = got, got
		m = got.Count()
	}
	if c.Type == model.String {
		return d.strings(c, n, m, r.p, shared)
	}
	c.Bits = resize(c.Bits, n)
	if m == 0 {
		clear(c.Bits)
		if len(r.p) != 0 {
			return model.ErrCorrupt
		}
		return nil
	}
	if err := d.numbers(c.Type, c.Bits[:m], r.p); err != nil {
		return err
	}
	if m < n {
		scatter(c.Bits, c.Present, m)
	}
	return nil
}

// numbers decodes the values of at least one row.
func (d *Decoder) numbers(t model.FieldType, dst []uint64, p []byte) error {
	switch t {
	case model.Float:
		return decodeFloats(dst, p)
	case model.Boolean:
		return d.booleans(dst, p)
	}
	return decodeInts(dst, p)
}

func (d *Decoder) booleans(dst []uint64, p []byte) error {
	r := reader{p: p}
	set, ok := r.bitmap(d.values, len(dst))
	if !ok || !r.done() {
		return model.ErrCorrupt
	}
	if set == nil {
		for i := range dst {
			dst[i] = 1
		}
		return nil
	}
	d.values = set
	for i := range dst {
		dst[i] = set[i>>6] >> (i & 63) & 1
	}
	return nil
}

// strings decodes m strings, which may be those of a shared dictionary, and lays
// them out over n rows.
func (d *Decoder) strings(c *model.Column, n, m int, p []byte, shared *entries) error {
	c.Ends = resize(c.Ends, n)
	if m == 0 {
		clear(c.Ends)
		if len(p) != 0 {
			return model.ErrCorrupt
		}
		return nil
	}
	d.texts.text = c.Text
	d.texts.lengths = resize(d.texts.lengths, m)
	var err error
	if shared != nil {
		err = shared.expand(&d.texts, p)
	} else {
		err = d.decodeTexts(&d.texts, p)
	}
	c.Text, d.texts.text = d.texts.text, nil
	if err != nil {
		return err
	}
	end, next := uint32(0), 0
	for i := range c.Ends {
		if c.Has(i) {
			end += uint32(d.texts.lengths[next])
			next++
		}
		c.Ends[i] = end
	}
	return nil
}

// scatter moves the first m of values, which are those of the rows present, to
// their rows, from the last to the first so that none is overwritten early, and
// clears the others.
func scatter(values []uint64, present model.Bitmap, m int) {
	row := len(values)
	for i := len(present) - 1; i >= 0; i-- {
		for w := present[i]; w != 0; {
			top := bits.Len64(w) - 1
			w &^= 1 << top
			at := 64*i + top
			clear(values[at+1 : row])
			m--
			values[at] = values[m]
			row = at
		}
	}
	clear(values[:row])
}
