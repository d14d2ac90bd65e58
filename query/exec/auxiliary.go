package exec

import "github.com/varvedb/varve/model"

// auxiliary is the columns of the rows that a selector selected, by slot.
type auxiliary struct {
	inputs []int // of the fragment; nil where results are merged
	types  []model.FieldType
	has    [][]bool // by column and slot
	bits   [][]uint64
	text   [][]string
	slots  int

	textBytes int // of all slots' texts
}

// auxBytes is what a value takes, without its text.
const auxBytes = 32

func newAuxiliary(inputs []int, types []model.FieldType) *auxiliary {
	x := &auxiliary{inputs: inputs, types: types}
	x.has = make([][]bool, len(x.types))
	x.bits = make([][]uint64, len(x.types))
	x.text = make([][]string, len(x.types))
	return x
}

func (x *auxiliary) reset() {
	for i := range x.types {
		x.has[i], x.bits[i], x.text[i] = x.has[i][:0], x.bits[i][:0], x.text[i][:0]
	}
	x.slots, x.textBytes = 0, 0
}

func (x *auxiliary) grow() {
	for i, t := range x.types {
		x.has[i] = append(x.has[i], false)
		if t == model.String {
			x.text[i] = append(x.text[i], "")
		} else {
			x.bits[i] = append(x.bits[i], 0)
		}
	}
	x.slots++
}

// set takes the columns of a row of b.
func (x *auxiliary) set(slot int, b *batch, row int) {
	for i, in := range x.inputs {
		v := &b.inputs[in]
		x.has[i][slot] = v.has(row)
		switch {
		case !x.has[i][slot]:
		case x.types[i] == model.String:
			x.setText(i, slot, v.Bytes(row*v.step()))
		default:
			x.bits[i][slot] = v.Bits[row*v.step()]
		}
	}
}

func (x *auxiliary) setText(column, slot int, text []byte) {
	x.textBytes += len(text) - len(x.text[column][slot])
	x.text[column][slot] = string(text)
}

// merge takes row i of columns that columns made.
func (x *auxiliary) merge(slot int, columns []model.Column, i int) {
	for j := range x.types {
		c := &columns[j]
		x.has[j][slot] = c.Has(i)
		switch {
		case !x.has[j][slot]:
		case x.types[j] == model.String:
			x.setText(j, slot, c.Bytes(i))
		default:
			x.bits[j][slot] = c.Bits[i]
		}
	}
}

// keep leaves one slot: the given one, or an empty one for -1.
func (x *auxiliary) keep(slot int) {
	if slot >= 0 && x.slots > 0 {
		for i, t := range x.types {
			x.has[i][0] = x.has[i][slot]
			if t == model.String {
				x.text[i][0] = x.text[i][slot]
			} else {
				x.bits[i][0] = x.bits[i][slot]
			}
		}
		return
	}
	x.reset()
	x.grow()
}

// columns gives the slots in the order given.
func (x *auxiliary) columns(slots []int32) []model.Column {
	out := make([]model.Column, len(x.types))
	for i, t := range x.types {
		out[i].Type = t
		for _, s := range slots {
			switch {
			case !x.has[i][s]:
				out[i].AppendNull()
			case t == model.String:
				out[i].AppendText([]byte(x.text[i][s]))
			default:
				out[i].AppendBits(x.bits[i][s])
			}
		}
	}
	return out
}

// less orders slots by their leading texts, as InfluxDB orders rows of equal
// time.
func (x *auxiliary) less(a, b int, descending bool) bool {
	for i, t := range x.types {
		if t != model.String || !x.has[i][a] || !x.has[i][b] {
			return false
		}
		if l, r := x.text[i][a], x.text[i][b]; l != r {
			return (l < r) != descending
		}
	}
	return false
}
