package plan

import (
	"regexp"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// Kind is the kind of an Expr. The numbers go between nodes.
type Kind uint8

// The kinds, each with the fields of Expr that it uses.
const (
	Null    Kind = 1 // no value, of any type
	Input   Kind = 2 // Column
	Literal Kind = 3 // Bits or Text, by Type
	Binary  Kind = 4 // Op, Left, Right
	Call    Kind = 5 // Scalar, Left, and Right when it takes two
	Match   Kind = 6 // Left is like Regexp, or with Negate is not
	Series  Kind = 7 // Where: a condition on the series, the same for all of its rows
)

// Op is the operator of a Binary. The numbers go between nodes.
type Op uint8

// The operators. Div divides integers to a float, IntDiv to an integer.
const (
	Add          Op = 1
	Sub          Op = 2
	Mul          Op = 3
	Div          Op = 4
	IntDiv       Op = 5
	Mod          Op = 6
	BitAnd       Op = 7
	BitOr        Op = 8
	BitXor       Op = 9
	Equal        Op = 10
	NotEqual     Op = 11
	Less         Op = 12
	LessEqual    Op = 13
	Greater      Op = 14
	GreaterEqual Op = 15
	And          Op = 16
	Or           Op = 17
)

// IsComparison reports whether op gives true or false of two values.
func (op Op) IsComparison() bool { return op >= Equal && op <= GreaterEqual }

// IsLogic reports whether op is And or Or.
func (op Op) IsLogic() bool { return op == And || op == Or }

// Expr computes a value for each row from columns. Its type is known, so rows
// are computed a column at a time. The rules are InfluxDB's: a comparison with
// a missing value or of types that do not compare is false, arithmetic with a
// missing value is missing, x/0 is 0, and a missing operand beside a boolean
// counts as false.
type Expr struct {
	Kind        Kind
	Type        model.FieldType // of the result; 0 when it is always missing
	Op          Op
	Negate      bool
	Column      int
	Bits        uint64
	Text        string
	Scalar      *function.Scalar
	Regexp      *regexp.Regexp
	Where       *model.Predicate
	Left, Right *Expr
}

var null = &Expr{Kind: Null}

func boolean(v bool) *Expr {
	e := &Expr{Kind: Literal, Type: model.Boolean}
	if v {
		e.Bits = 1
	}
	return e
}

// IsTrue and IsFalse report whether e is that literal.
func (e *Expr) IsTrue() bool {
	return e.Kind == Literal && e.Type == model.Boolean && e.Bits == 1
}

// IsFalse reports whether e is the literal false.
func (e *Expr) IsFalse() bool {
	return e.Kind == Literal && e.Type == model.Boolean && e.Bits == 0
}

// Inputs marks the inputs that e speaks of, and reports whether e has conditions
// on the series.
func (e *Expr) Inputs(marks []bool) (bySeries bool) {
	switch e.Kind {
	case Input:
		marks[e.Column] = true
	case Series:
		bySeries = true
	}
	if e.Left != nil {
		bySeries = e.Left.Inputs(marks) || bySeries
	}
	if e.Right != nil {
		bySeries = e.Right.Inputs(marks) || bySeries
	}
	return bySeries
}

// ForSeries gives e with its conditions on the series decided, and And and Or
// simplified by that. It shares parts with e.
func (e *Expr) ForSeries(measurement string, tags model.Tags) *Expr {
	switch {
	case e.Kind == Series:
		return boolean(e.Where.Holds(measurement, tags))
	case e.Kind != Binary || !e.Op.IsLogic():
		return e
	}
	l, r := e.Left.ForSeries(measurement, tags), e.Right.ForSeries(measurement, tags)
	if e.Op == And {
		switch {
		case l.IsFalse() || r.IsFalse():
			return boolean(false)
		case l.IsTrue():
			return r
		case r.IsTrue():
			return l
		}
	} else {
		switch {
		case l.IsTrue() || r.IsTrue():
			return boolean(true)
		case l.IsFalse():
			return r
		case r.IsFalse():
			return l
		}
	}
	if l == e.Left && r == e.Right {
		return e
	}
	c := *e
	c.Left, c.Right = l, r
	return &c
}

// binary gives the typed expression l op r.
func binary(op Op, l, r *Expr) *Expr {
	e := &Expr{Kind: Binary, Op: op, Type: model.Boolean, Left: l, Right: r}
	switch {
	case op.IsComparison():
		if !comparable(op, l.Type, r.Type) {
			return boolean(false)
		}
	case op.IsLogic():
		if l.Type != model.Boolean && l.Type != 0 || r.Type != model.Boolean && r.Type != 0 || l.Type == r.Type && l.Type == 0 {
			return boolean(false)
		}
	default:
		e.Type = arithmetic(op, l.Type, r.Type)
		if e.Type == 0 {
			return null
		}
	}
	return e
}

// comparable reports whether l op r can be true.
func comparable(op Op, l, r model.FieldType) bool {
	equality := op == Equal || op == NotEqual
	switch {
	case isNumber(l) && isNumber(r):
		return true
	case l == model.String && r == model.String:
		return equality
	case l == model.Boolean || r == model.Boolean:
		// A missing operand beside a boolean counts as false.
		return equality && (l == r || l == 0 || r == 0)
	}
	return false
}

// arithmetic gives the type of l op r, 0 where such values do not combine.
func arithmetic(op Op, l, r model.FieldType) model.FieldType {
	bits := op == BitAnd || op == BitOr || op == BitXor
	// A missing operand beside a boolean counts as false.
	if bits && (l == model.Boolean && (r == 0 || r == model.Boolean) || l == 0 && r == model.Boolean) {
		return model.Boolean
	}
	if !isNumber(l) || !isNumber(r) {
		return 0
	}
	switch {
	case l == model.Float || r == model.Float:
		if bits {
			return 0
		}
		return model.Float
	case l == model.Unsigned || r == model.Unsigned:
		return model.Unsigned
	case op == Div:
		return model.Float
	}
	return model.Integer
}

func isNumber(t model.FieldType) bool {
	return t == model.Float || t == model.Integer || t == model.Unsigned
}
