package plan

import (
	"math"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// builder turns syntax trees into Exprs. ref says what a field or tag is, and
// call what an aggregate is; either may be nil where there are none.
type builder struct {
	ref    func(*influxql.VarRef) *Expr
	call   func(*influxql.Call) *Expr
	intDiv bool // integers divide to integers, as in WHERE
	byRow  bool // conditions on tags are decided row by row, as for a subquery
}

func (b *builder) expr(expr influxql.Expr) *Expr {
	switch expr := expr.(type) {
	case *influxql.ParenExpr:
		return b.expr(expr.Expr)
	case *influxql.BinaryExpr:
		return b.binary(expr)
	case *influxql.VarRef:
		return b.ref(expr)
	case *influxql.Call:
		if s := function.LookupScalar(expr.Name); s != nil {
			return b.scalar(s, expr)
		} else if b.call != nil {
			return b.call(expr)
		}
	case *influxql.NumberLiteral:
		return &Expr{Kind: Literal, Type: model.Float, Bits: math.Float64bits(expr.Val)}
	case *influxql.IntegerLiteral:
		return &Expr{Kind: Literal, Type: model.Integer, Bits: uint64(expr.Val)}
	case *influxql.UnsignedLiteral:
		return &Expr{Kind: Literal, Type: model.Unsigned, Bits: expr.Val}
	case *influxql.BooleanLiteral:
		return boolean(expr.Val)
	case *influxql.StringLiteral:
		return &Expr{Kind: Literal, Type: model.String, Text: expr.Val}
	}
	return null // times, durations and the like: InfluxDB computes nothing with them
}

func (b *builder) scalar(s *function.Scalar, call *influxql.Call) *Expr {
	if len(call.Args) != s.Args {
		return null
	}
	e := &Expr{Kind: Call, Scalar: s, Left: b.expr(call.Args[0])}
	if !isNumber(e.Left.Type) {
		return null
	}
	e.Type = s.Result(e.Left.Type)
	if s.Args == 2 {
		e.Right = b.expr(call.Args[1])
		if !isNumber(e.Right.Type) {
			return null
		}
	}
	return e
}

func (b *builder) binary(expr *influxql.BinaryExpr) *Expr {
	if expr.Op == influxql.EQREGEX || expr.Op == influxql.NEQREGEX {
		re, ok := expr.RHS.(*influxql.RegexLiteral)
		l := b.expr(expr.LHS)
		if !ok || l.Type != model.String {
			return null
		}
		return &Expr{Kind: Match, Type: model.Boolean, Left: l, Regexp: re.Val, Negate: expr.Op == influxql.NEQREGEX}
	}
	op, ok := operators[expr.Op]
	if !ok {
		return null
	}
	if op == Div && b.intDiv {
		op = IntDiv
	}
	return binary(op, b.expr(expr.LHS), b.expr(expr.RHS))
}

var operators = map[influxql.Token]Op{
	influxql.ADD: Add, influxql.SUB: Sub, influxql.MUL: Mul, influxql.DIV: Div, influxql.MOD: Mod,
	influxql.BITWISE_AND: BitAnd, influxql.BITWISE_OR: BitOr, influxql.BITWISE_XOR: BitXor,
	influxql.EQ: Equal, influxql.NEQ: NotEqual,
	influxql.LT: Less, influxql.LTE: LessEqual, influxql.GT: Greater, influxql.GTE: GreaterEqual,
	influxql.AND: And, influxql.OR: Or,
}
