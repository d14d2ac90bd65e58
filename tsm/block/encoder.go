package block

import (
	"fmt"
	"math/bits"

	"github.com/varvedb/varve/model"
)

// MaxRows is the most rows that one block may have. A decoder is told the
// number of rows by its caller and refuses more.
const MaxRows = 1 << 16

// Encoder turns columns into blocks. It holds scratch memory and is for one
// goroutine; the zero Encoder is ready.
type Encoder struct {
	profile    profile
	packed     []uint64 // what goes through bit-packing
	at         []uint32 // positions of exceptions
	ints       []uint64 // floats as integers, codes of strings
	values     []uint64 // a column without the rows that have no value
	texts      texts    // the same of strings
	entries    texts    // a dictionary
	codes      map[string]uint64
	sized      []byte
	compressed []byte
	fast       bool // integers that are narrow as they are need no search for less
	cold       bool // strings may take the time that zstd does
	zstd       compressor
}

// SetEffort says how much time blocks may take; the zero Encoder's is Hot.
func (e *Encoder) SetEffort(effort Effort) { e.fast, e.cold = effort == Fast, effort == Cold }

// AppendInts adds a block of integers: timestamps, numbers of versions. There
// may be none of them, and MaxRows at most.
func (e *Encoder) AppendInts(dst []byte, values []int64) []byte {
	checkRows(len(values))
	if len(values) == 0 {
		return dst
	}
	return e.appendInts(dst, words(values))
}

// AppendColumn adds a block of the column's rows, presence included. Slots of
// rows that have no value are not kept.
func (e *Encoder) AppendColumn(dst []byte, c *model.Column) []byte {
	n := c.Len()
	checkRows(n)
	if n == 0 {
		return dst
	}
	dst = appendBitmap(dst, c.Present, n)
	if c.Type == model.String {
		if e.gatherTexts(c); len(e.texts.lengths) > 0 {
			dst = e.appendTexts(dst, &e.texts)
		}
		return dst
	}
	values := e.gather(c)
	if len(values) == 0 {
		return dst
	}
	switch c.Type {
	case model.Float:
		return e.appendFloats(dst, values)
	case model.Boolean:
		return e.appendBooleans(dst, values)
	case model.Integer, model.Unsigned:
		return e.appendInts(dst, values)
	}
	panic(fmt.Sprintf("block: column of type %v", c.Type))
}

func checkRows(n int) {
	if n > MaxRows {
		panic(fmt.Sprintf("block: %d rows, at most %d fit", n, MaxRows))
	}
}

// gather gives the values of the rows that have one.
func (e *Encoder) gather(c *model.Column) []uint64 {
	if c.Present == nil {
		return c.Bits
	}
	e.values = e.values[:0]
	for i := range (len(c.Bits) + 63) / 64 {
		for w := c.Present[i]; w != 0; w &= w - 1 {
			row := 64*i + bits.TrailingZeros64(w)
			if row >= len(c.Bits) {
				break
			}
			e.values = append(e.values, c.Bits[row])
		}
	}
	return e.values
}

func (e *Encoder) gatherTexts(c *model.Column) {
	t := &e.texts
	t.lengths, t.text = t.lengths[:0], t.text[:0]
	for i := range c.Ends {
		if c.Has(i) {
			s := c.Bytes(i)
			t.lengths = append(t.lengths, uint64(len(s)))
			t.text = append(t.text, s...)
		}
	}
}

func (e *Encoder) appendBooleans(dst []byte, values []uint64) []byte {
	e.packed = resize(e.packed, (len(values)+63)/64)
	clear(e.packed)
	for i, v := range values {
		if v != 0 {
			e.packed[i>>6] |= 1 << (i & 63)
		}
	}
	return appendBitmap(dst, e.packed, len(values))
}
