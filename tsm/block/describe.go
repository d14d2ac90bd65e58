package block

import (
	"fmt"

	"github.com/varvedb/varve/model"
)

// Description is what Describe finds out about a block.
type Description struct {
	Codec  string // how values are kept: "decimal delta", "decimal, shared code", "dictionary"
	Values int    // rows that have one
}

// Describe says how a block of n rows of a type is kept, from its head and
// without decoding values; the parameters are those of Decoder.Column. What it
// does not know is model.ErrCorrupt. It is for reports.
func Describe(typ model.FieldType, n int, p []byte, t *Tables, number int) (Description, error) {
	var d Description
	if n <= 0 || n > MaxRows {
		return d, model.ErrCorrupt
	}
	r := reader{p: p}
	presence := r.byte()
	var shared *table
	if number != 0 {
		var ok bool
		if shared, ok = t.get(number); !ok {
			return d, model.ErrCorrupt
		}
		presence &= codedPresence
	}
	present, ok := r.bitmapOf(presence, nil, n)
	if !ok {
		return d, model.ErrCorrupt
	}
	d.Values = n
	if present != nil {
		d.Values = present.Count()
	}
	switch {
	case d.Values == 0:
		d.Codec = "empty"
	case shared != nil:
		d.Codec = shared.describe()
	default:
		d.Codec = r.describe(typ, d.Values)
	}
	if r.bad || d.Codec == "" {
		return d, model.ErrCorrupt
	}
	return d, nil
}

// describe names the codec of n values without a table; "" is none that there is.
func (r *reader) describe(typ model.FieldType, n int) string {
	switch typ {
	case model.Boolean:
		return "bits"
	case model.String:
		return name(textNames[:], r.byte())
	case model.Float:
		switch r.byte() {
		case floatBits:
			return "bits " + r.ints()
		case floatDecimal:
			r.byte() // power of ten
			r.exceptions(n)
			return "decimal " + r.ints()
		}
		return ""
	}
	return r.ints()
}

var textNames = [...]string{textRaw: "raw", textSnappy: "snappy", textDictionary: "dictionary", textZstd: "zstd"}

func name(names []string, i byte) string {
	if int(i) >= len(names) {
		return ""
	}
	return names[i]
}

func (r *reader) ints() string {
	if i := int(r.byte()); i < len(intCodecs) && !r.bad {
		return intCodecs[i].name
	}
	r.fail()
	return ""
}

func (t *table) describe() string {
	s := "ints"
	switch {
	case t.kind == kindReal:
		s = "real"
	case t.kind == kindDictionary:
		s = "dictionary"
	case t.kind >= kindDecimal:
		s = "decimal"
	}
	if t.order > 0 {
		s += fmt.Sprintf(" delta %d", t.order)
	}
	if t.sparse {
		s += " sparse"
	}
	return s + ", shared code"
}
