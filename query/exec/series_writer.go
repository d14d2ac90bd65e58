package exec

import (
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

// seriesWriter makes the rows of one series of the result: it skips and limits
// them, puts fill values where slots have none, computes the expressions, and
// hands out the rows in pieces.
type seriesWriter struct {
	*finisher
	name    string
	tags    model.Tags
	hasTags bool
	skip    int            // rows of OFFSET that are still to come
	limit   int            // rows of LIMIT that are left; 0 for no limit
	full    bool           // the limit is reached
	last    []model.Column // the last value of each slot; nil but for fill(previous)
	held    *Rows          // a piece that waits to know whether it is the last
}

// write takes rows: their times and the values of the bound's slots. It may
// keep and change them.
func (w *seriesWriter) write(times []int64, slots []model.Column) error {
	if w.full || len(times) == 0 {
		return nil
	}
	w.fill(slots, len(times))
	lo, hi := 0, len(times)
	if w.skip > 0 {
		lo = min(w.skip, hi)
		w.skip -= lo
	}
	if w.limit > 0 && hi-lo >= w.limit {
		hi = lo + w.limit
		w.full = true
	} else if w.limit > 0 {
		w.limit -= hi - lo
	}
	if lo == hi {
		return nil
	}
	if lo > 0 || hi < len(times) {
		times = times[lo:hi]
		for i := range slots {
			slots[i] = cut(&slots[i], lo, hi)
		}
	}
	return w.push(w.compute(times, slots))
}

// cut gives rows lo up to hi of c.
func cut(c *model.Column, lo, hi int) model.Column {
	if c.Present == nil && c.Type != model.String {
		return model.Column{Field: c.Field, Bits: c.Bits[lo:hi]}
	}
	out := model.Column{Field: c.Field}
	for i := lo; i < hi; i++ {
		out.AppendRow(c, i)
	}
	return out
}

// fill puts what the fill option says where a slot has no value.
func (w *seriesWriter) fill(slots []model.Column, n int) {
	switch w.b.Fill {
	case plan.FillNumber:
		for i := range slots {
			if slots[i].Present != nil {
				slots[i] = w.fillNumber(&slots[i], n)
			}
		}
	case plan.FillPrevious:
		for i := range slots {
			w.fillPrevious(i, &slots[i], n)
		}
	}
}

func (w *seriesWriter) fillNumber(c *model.Column, n int) model.Column {
	out := model.Column{Field: c.Field}
	for i := range n {
		if c.Has(i) {
			out.AppendRow(c, i)
		} else {
			appendNumber(&out, w.b.FillValue)
		}
	}
	return out
}

// appendNumber adds fill(x).
func appendNumber(out *model.Column, x float64) {
	if out.Type == model.String {
		out.AppendText(nil)
		return
	}
	out.AppendBits(numberAs(x, out.Type))
}

// numberAs gives the bits of fill(x) in a column of a type; it is false and ""
// where that is no number.
func numberAs(x float64, t model.FieldType) uint64 {
	switch t {
	case model.Float:
		return math.Float64bits(x)
	case model.Integer:
		return uint64(int64(x))
	case model.Unsigned:
		return uint64(x)
	}
	return 0
}

func (w *seriesWriter) fillPrevious(slot int, c *model.Column, n int) {
	last := &w.last[slot]
	if c.Present != nil {
		out := model.Column{Field: c.Field}
		for i := range n {
			switch {
			case c.Has(i):
				out.AppendRow(c, i)
			case i > 0:
				out.AppendRow(&out, i-1)
			case last.Len() > 0:
				out.AppendRow(last, 0)
			default:
				out.AppendNull()
			}
		}
		*c = out
	}
	if c.Has(n - 1) {
		*last = model.Column{Field: c.Field}
		last.AppendRow(c, n-1)
	}
}

// compute makes the result's columns of slots.
func (w *seriesWriter) compute(times []int64, slots []model.Column) *Rows {
	rows := &Rows{Name: w.name, Tags: w.tags, HasTags: w.hasTags, Columns: w.b.Columns, Times: times, Values: slots}
	if !w.areSlots(slots) {
		rows.Values = w.evaluate(len(times), slots)
	}
	for i, x := range w.b.Exprs {
		c := &rows.Values[i]
		if c.Type == model.Float && !w.b.Inner && (x.Kind != plan.Input || !w.b.Raw()) {
			*c = withoutNaN(*c)
		}
		c.Name = w.b.Columns[i+1]
	}
	return rows
}

// areSlots reports whether the expressions are the slots, in their order.
func (w *seriesWriter) areSlots(slots []model.Column) bool {
	for i, x := range w.b.Exprs {
		if i == len(slots) || x.Kind != plan.Input || x.Column != i || slots[i].Type == 0 {
			return false
		}
	}
	return len(w.b.Exprs) == len(slots)
}

// evaluate computes the expressions over n rows.
func (w *seriesWriter) evaluate(n int, slots []model.Column) []model.Column {
	w.inputs = w.inputs[:0]
	for i := range slots {
		w.inputs = append(w.inputs, vector{Column: slots[i]})
	}
	e := evaluator{n: n, inputs: w.inputs}
	values := make([]model.Column, 0, len(w.b.Exprs))
	for _, x := range w.b.Exprs {
		v := e.eval(x)
		values = append(values, v.column(n))
	}
	return values
}

// withoutNaN gives c without the values that are no numbers.
func withoutNaN(c model.Column) model.Column {
	var present model.Bitmap
	for i, v := range c.Float64s() {
		if v == v || !c.Has(i) {
			continue
		}
		if present == nil {
			present = model.NewBitmap(len(c.Bits))
			for j := range c.Bits {
				if c.Has(j) {
					present.Set(j)
				}
			}
		}
		present.Clear(i)
	}
	if present != nil {
		c.Present = present
	}
	return c
}

// push hands out the piece before rows and holds rows.
func (w *seriesWriter) push(rows *Rows) error {
	held := w.held
	w.held = rows
	if held == nil {
		return nil
	}
	held.More = true
	return w.emit(held)
}

// close hands out the last piece.
func (w *seriesWriter) close() error {
	if w.held == nil {
		return nil
	}
	held := w.held
	w.held = nil
	return w.emit(held)
}
