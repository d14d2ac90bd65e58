package exec

import (
	"bytes"
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

// evaluator computes expressions over n rows of inputs.
type evaluator struct {
	n      int
	inputs []vector
}

func (e *evaluator) eval(x *plan.Expr) vector {
	switch x.Kind {
	case plan.Input:
		return e.inputs[x.Column]
	case plan.Literal:
		if x.Type == model.String {
			return constantText(x.Text)
		}
		return vector{constant: true, Column: model.Column{Field: model.Field{Type: x.Type}, Bits: []uint64{x.Bits}}}
	case plan.Binary:
		l, r := e.eval(x.Left), e.eval(x.Right)
		switch {
		case x.Op.IsLogic():
			return e.logic(x.Op, &l, &r)
		case x.Op.IsComparison():
			return e.compare(x.Op, &l, &r)
		case x.Type == model.Boolean:
			return e.logic(x.Op, &l, &r)
		}
		return e.arithmetic(x.Op, x.Type, &l, &r)
	case plan.Call:
		return e.call(x)
	case plan.Match:
		l := e.eval(x.Left)
		return e.match(x, &l)
	}
	return vector{}
}

// constantOperands reports whether an operation gives one value for all rows,
// and how many slots to compute then.
func (e *evaluator) slots(l, r *vector) (n int, constant bool) {
	if l.constant && r.constant {
		return 1, true
	}
	return e.n, false
}

func (e *evaluator) arithmetic(op plan.Op, t model.FieldType, left, right *vector) vector {
	if left.Type == 0 || right.Type == 0 {
		return vector{}
	}
	l, r := left.as(t), right.as(t)
	n, constant := e.slots(&l, &r)
	out := vector{constant: constant}
	out.Type = t
	out.Present = both(&l, &r, n)
	out.Bits = make([]uint64, n)
	switch t {
	case model.Float:
		arithmeticFloat(op, view[float64](out.Bits), view[float64](l.Bits), view[float64](r.Bits), l.step(), r.step())
	case model.Integer:
		arithmeticInt(op, view[int64](out.Bits), view[int64](l.Bits), view[int64](r.Bits), l.step(), r.step())
	default:
		arithmeticInt(op, out.Bits, l.Bits, r.Bits, l.step(), r.step())
	}
	return out
}

func arithmeticFloat(op plan.Op, dst, l, r []float64, ls, rs int) {
	if op != plan.Mod {
		arithmetic(op, dst, l, r, ls, rs)
		return
	}
	for i := range dst {
		dst[i] = math.Mod(l[i*ls], r[i*rs])
	}
}

func arithmeticInt[T int64 | uint64](op plan.Op, dst, l, r []T, ls, rs int) {
	switch op {
	case plan.Mod:
		for i := range dst {
			if d := r[i*rs]; d != 0 {
				dst[i] = l[i*ls] % d
			}
		}
	case plan.BitAnd:
		for i := range dst {
			dst[i] = l[i*ls] & r[i*rs]
		}
	case plan.BitOr:
		for i := range dst {
			dst[i] = l[i*ls] | r[i*rs]
		}
	case plan.BitXor:
		for i := range dst {
			dst[i] = l[i*ls] ^ r[i*rs]
		}
	default:
		arithmetic(op, dst, l, r, ls, rs)
	}
}

// arithmetic is what all numbers share. Division by zero gives 0, as in
// InfluxDB: dst is zero before.
func arithmetic[T float64 | int64 | uint64](op plan.Op, dst, l, r []T, ls, rs int) {
	switch op {
	case plan.Add:
		for i := range dst {
			dst[i] = l[i*ls] + r[i*rs]
		}
	case plan.Sub:
		for i := range dst {
			dst[i] = l[i*ls] - r[i*rs]
		}
	case plan.Mul:
		for i := range dst {
			dst[i] = l[i*ls] * r[i*rs]
		}
	case plan.Div, plan.IntDiv:
		for i := range dst {
			if d := r[i*rs]; d != 0 {
				dst[i] = l[i*ls] / d
			}
		}
	}
}

// truth gives the bits of a boolean vector, 0 where it has no value, and how
// many rows to step.
func (e *evaluator) truth(v *vector) (bits []uint64, step int) {
	switch {
	case v.Type != model.Boolean:
		return []uint64{0}, 0
	case v.full():
		return v.Bits, v.step()
	case v.constant:
		return []uint64{0}, 0
	}
	bits = make([]uint64, e.n)
	for i := range bits {
		if v.Has(i) {
			bits[i] = v.Bits[i]
		}
	}
	return bits, 1
}

// logic combines booleans. A missing one is false; beside another missing one
// the result of & | ^ is missing, too.
func (e *evaluator) logic(op plan.Op, left, right *vector) vector {
	l, ls := e.truth(left)
	r, rs := e.truth(right)
	n, constant := e.slots(left, right)
	out := vector{constant: constant}
	out.Type = model.Boolean
	out.Bits = make([]uint64, n)
	switch op {
	case plan.And, plan.BitAnd:
		for i := range out.Bits {
			out.Bits[i] = l[i*ls] & r[i*rs]
		}
	case plan.Or, plan.BitOr:
		for i := range out.Bits {
			out.Bits[i] = l[i*ls] | r[i*rs]
		}
	case plan.BitXor:
		for i := range out.Bits {
			out.Bits[i] = l[i*ls] ^ r[i*rs]
		}
	}
	if !op.IsLogic() && !left.full() && !right.full() {
		out.Present = model.NewBitmap(n)
		for i := range n {
			if left.has(i) || right.has(i) {
				out.Present.Set(i)
			}
		}
	}
	return out
}

// compare gives true or false for every row.
func (e *evaluator) compare(op plan.Op, left, right *vector) vector {
	n, constant := e.slots(left, right)
	out := vector{constant: constant}
	out.Type = model.Boolean
	out.Bits = make([]uint64, n)
	if left.Type == model.Boolean || right.Type == model.Boolean {
		e.compareBooleans(op, out.Bits, left, right)
		return out
	}
	switch {
	case left.Type == 0 || right.Type == 0:
		return out
	case left.Type == model.String:
		compareTexts(op, out.Bits, left, right)
	case left.Type == model.Float || right.Type == model.Float:
		l, r := left.as(model.Float), right.as(model.Float)
		compareNumbers(op, out.Bits, view[float64](l.Bits), view[float64](r.Bits), l.step(), r.step())
	case left.Type == model.Integer && right.Type == model.Integer:
		compareNumbers(op, out.Bits, view[int64](left.Bits), view[int64](right.Bits), left.step(), right.step())
	case left.Type == right.Type:
		compareNumbers(op, out.Bits, left.Bits, right.Bits, left.step(), right.step())
	default:
		compareSigns(op, out.Bits, left, right)
	}
	if p := both(left, right, n); p != nil {
		for i := range out.Bits {
			if !p.Get(i) {
				out.Bits[i] = 0
			}
		}
	}
	return out
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func compareNumbers[T number](op plan.Op, dst []uint64, l, r []T, ls, rs int) {
	switch op {
	case plan.Equal:
		for i := range dst {
			dst[i] = bit(l[i*ls] == r[i*rs])
		}
	case plan.NotEqual:
		for i := range dst {
			dst[i] = bit(l[i*ls] != r[i*rs])
		}
	case plan.Less:
		for i := range dst {
			dst[i] = bit(l[i*ls] < r[i*rs])
		}
	case plan.LessEqual:
		for i := range dst {
			dst[i] = bit(l[i*ls] <= r[i*rs])
		}
	case plan.Greater:
		for i := range dst {
			dst[i] = bit(l[i*ls] > r[i*rs])
		}
	case plan.GreaterEqual:
		for i := range dst {
			dst[i] = bit(l[i*ls] >= r[i*rs])
		}
	}
}

// compareSigns compares integers with unsigned ones: a negative one is less
// than any of those.
func compareSigns(op plan.Op, dst []uint64, left, right *vector) {
	ls, rs := left.step(), right.step()
	for i := range dst {
		l, r := left.Bits[i*ls], right.Bits[i*rs]
		order := 0
		switch {
		case left.Type == model.Integer && int64(l) < 0:
			order = -1
		case right.Type == model.Integer && int64(r) < 0:
			order = 1
		case l < r:
			order = -1
		case l > r:
			order = 1
		}
		dst[i] = bit(holds(op, order))
	}
}

func holds(op plan.Op, order int) bool {
	switch op {
	case plan.Equal:
		return order == 0
	case plan.NotEqual:
		return order != 0
	case plan.Less:
		return order < 0
	case plan.LessEqual:
		return order <= 0
	case plan.Greater:
		return order > 0
	case plan.GreaterEqual:
		return order >= 0
	}
	return false
}

func compareTexts(op plan.Op, dst []uint64, left, right *vector) {
	ls, rs := left.step(), right.step()
	for i := range dst {
		if left.has(i) && right.has(i) {
			dst[i] = bit(bytes.Equal(left.Bytes(i*ls), right.Bytes(i*rs)) == (op == plan.Equal))
		}
	}
}

// compareBooleans compares booleans; one that is missing beside one that is
// not counts as false.
func (e *evaluator) compareBooleans(op plan.Op, dst []uint64, left, right *vector) {
	l, ls := e.truth(left)
	r, rs := e.truth(right)
	for i := range dst {
		if left.has(i) || right.has(i) {
			dst[i] = bit((l[i*ls] == r[i*rs]) == (op == plan.Equal))
		}
	}
}

func (e *evaluator) match(x *plan.Expr, l *vector) vector {
	n := e.n
	if l.constant {
		n = 1
	}
	out := vector{constant: l.constant}
	out.Type = model.Boolean
	out.Bits = make([]uint64, n)
	for i := range out.Bits {
		if l.has(i) {
			out.Bits[i] = bit(x.Regexp.Match(l.Bytes(i)) != x.Negate)
		}
	}
	return out
}

func (e *evaluator) call(x *plan.Expr) vector {
	s := x.Scalar
	arg := e.eval(x.Left)
	if arg.Type == 0 {
		return vector{}
	}
	if s.Keeps && arg.Type != model.Float {
		if s.UnaryInteger == nil || arg.Type != model.Integer {
			return arg
		}
		out := arg
		out.Bits = make([]uint64, len(arg.Bits))
		for i, v := range arg.Bits {
			out.Bits[i] = uint64(s.UnaryInteger(int64(v)))
		}
		return out
	}
	l := arg.as(model.Float)
	if s.Args == 1 {
		out := l
		out.Bits = make([]uint64, len(l.Bits))
		dst, src := view[float64](out.Bits), view[float64](l.Bits)
		for i, v := range src {
			dst[i] = s.Unary(v)
		}
		return out
	}
	second := e.eval(x.Right)
	if second.Type == 0 {
		return vector{}
	}
	r := second.as(model.Float)
	n, constant := e.slots(&l, &r)
	out := vector{constant: constant}
	out.Type = model.Float
	out.Present = both(&l, &r, n)
	out.Bits = make([]uint64, n)
	dst, a, b := view[float64](out.Bits), view[float64](l.Bits), view[float64](r.Bits)
	ls, rs := l.step(), r.step()
	for i := range dst {
		dst[i] = s.Binary(a[i*ls], b[i*rs])
	}
	return out
}
