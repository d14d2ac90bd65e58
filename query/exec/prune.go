package exec

import (
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

// verdict tells by statistics whether all rows of a granule pass a filter, or
// none does. Mostly neither is known.
func (r *runner) verdict(filter *plan.Expr, g Granule) (all, none bool) {
	if filter.Kind != plan.Binary {
		return false, false
	}
	if !filter.Op.IsLogic() {
		return r.verdictOfComparison(filter, g)
	}
	all, none = r.verdict(filter.Left, g)
	otherAll, otherNone := r.verdict(filter.Right, g)
	if filter.Op == plan.And {
		return all && otherAll, none || otherNone
	}
	return all || otherAll, none && otherNone
}

// verdictOfComparison is for a field and a number.
func (r *runner) verdictOfComparison(x *plan.Expr, g Granule) (all, none bool) {
	input, number, op := comparisonWithNumber(x)
	if number == nil {
		return false, false
	}
	fields := r.inputs[input]
	if len(fields) != 1 || r.fields[fields[0]].Type != r.f.Inputs[input].Type {
		return false, false
	}
	s, ok := g.Stats(fields[0])
	if !ok {
		return false, false
	}
	if s.Count == 0 {
		return false, true // a comparison with a missing value does not hold
	}
	t := r.f.Inputs[input].Type
	low, high := orderOfNumbers(t, s.Min, number), orderOfNumbers(t, s.Max, number)
	all, none = holds(op, low) && holds(op, high), !holds(op, low) && !holds(op, high)
	switch op {
	case plan.Equal: // the values between the ends may be what is looked for
		none = none && low == high
	case plan.NotEqual:
		all = all && low == high
	}
	return all && s.Count == g.Len(), none
}

// comparisonWithNumber takes a comparison of an input with a number apart, as
// if the input came first; number is nil for other expressions.
func comparisonWithNumber(x *plan.Expr) (input int, number *plan.Expr, op plan.Op) {
	if x.Kind != plan.Binary || !x.Op.IsComparison() {
		return 0, nil, 0
	}
	l, r, op := x.Left, x.Right, x.Op
	if l.Kind == plan.Literal {
		l, r = r, l
		switch op {
		case plan.Less:
			op = plan.Greater
		case plan.LessEqual:
			op = plan.GreaterEqual
		case plan.Greater:
			op = plan.Less
		case plan.GreaterEqual:
			op = plan.LessEqual
		}
	}
	if l.Kind != plan.Input || r.Kind != plan.Literal || !isNumber(l.Type) || !isNumber(r.Type) {
		return 0, nil, 0
	}
	if r.Type == model.Float && math.IsNaN(math.Float64frombits(r.Bits)) {
		return 0, nil, 0
	}
	return l.Column, r, op
}

// orderOfNumbers compares the bits of a value of type t with a number, as
// evaluator.compare does.
func orderOfNumbers(t model.FieldType, bits uint64, number *plan.Expr) int {
	switch {
	case t == model.Float || number.Type == model.Float:
		return compare(floatOf(t, bits), floatOf(number.Type, number.Bits))
	case t == model.Integer && number.Type == model.Integer:
		return compare(int64(bits), int64(number.Bits))
	case t == model.Integer && int64(bits) < 0:
		return -1
	case number.Type == model.Integer && int64(number.Bits) < 0:
		return 1
	}
	return compare(bits, number.Bits)
}

// floatOf gives a number of any type as a float.
func floatOf(t model.FieldType, bits uint64) float64 {
	switch t {
	case model.Integer:
		return float64(int64(bits))
	case model.Unsigned:
		return float64(bits)
	}
	return math.Float64frombits(bits)
}

// selectByNumber selects rows by the comparison of an input with a number. It
// reports false, and does nothing, when the filter is no such thing.
func (b *batch) selectByNumber(filter *plan.Expr) bool {
	input, number, op := comparisonWithNumber(filter)
	if number == nil || op == plan.Equal || op == plan.NotEqual {
		return false
	}
	v := &b.inputs[input]
	switch {
	case v.Type == model.Float:
		b.rows = selectNumbers(b, v, view[float64](v.Bits), op, floatOf(number.Type, number.Bits))
	case v.Type == model.Integer && number.Type == model.Float:
		b.rows = selectAsFloats(b, v, view[int64](v.Bits), op, math.Float64frombits(number.Bits))
	case v.Type == model.Integer && number.Type == model.Integer:
		b.rows = selectNumbers(b, v, view[int64](v.Bits), op, int64(number.Bits))
	default:
		return false
	}
	return true
}

// selectAsFloats compares values that have to become floats for it.
func selectAsFloats(b *batch, v *vector, values []int64, op plan.Op, x float64) []int32 {
	// Up to here an integer and its float are the same, and whole numbers stand on
	// the same side of x as of the whole number next to it.
	const exact = 1 << 53
	if math.Abs(x) >= exact {
		rows := b.rows
		for i := b.lo; i < b.hi; i++ {
			if v.Has(i) && holds(op, compare(float64(values[i]), x)) {
				rows = append(rows, int32(i))
			}
		}
		return rows
	}
	switch op {
	case plan.Greater, plan.LessEqual: // v > 90.5 is v > 90
		return selectNumbers(b, v, values, op, int64(math.Floor(x)))
	}
	return selectNumbers(b, v, values, op, int64(math.Ceil(x)))
}

func selectNumbers[T number](b *batch, v *vector, values []T, op plan.Op, x T) []int32 {
	rows := b.rows
	switch op {
	case plan.Less:
		for i := b.lo; i < b.hi; i++ {
			if values[i] < x && v.Has(i) {
				rows = append(rows, int32(i))
			}
		}
	case plan.LessEqual:
		for i := b.lo; i < b.hi; i++ {
			if values[i] <= x && v.Has(i) {
				rows = append(rows, int32(i))
			}
		}
	case plan.Greater:
		for i := b.lo; i < b.hi; i++ {
			if values[i] > x && v.Has(i) {
				rows = append(rows, int32(i))
			}
		}
	case plan.GreaterEqual:
		for i := b.lo; i < b.hi; i++ {
			if values[i] >= x && v.Has(i) {
				rows = append(rows, int32(i))
			}
		}
	}
	return rows
}
