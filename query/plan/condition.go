package plan

import (
	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// condition turns a reduced and typed WHERE clause into an Expr over the rows,
// in which what only depends on the series is marked as such.
func (b *builder) condition(expr influxql.Expr) *Expr {
	switch expr := expr.(type) {
	case *influxql.ParenExpr:
		return b.condition(expr.Expr)
	case *influxql.BinaryExpr:
		switch expr.Op {
		case influxql.AND:
			return binary(And, b.condition(expr.LHS), b.condition(expr.RHS))
		case influxql.OR:
			return binary(Or, b.condition(expr.LHS), b.condition(expr.RHS))
		}
		if e := tagCondition(expr); e != nil && !b.byRow {
			return e
		}
		return asCondition(b.expr(expr))
	case *influxql.BooleanLiteral:
		return boolean(expr.Val)
	}
	return boolean(false)
}

// asCondition gives e, or false where e has no truth.
func asCondition(e *Expr) *Expr {
	if e.Type != model.Boolean {
		return boolean(false)
	}
	return e
}

// tagCondition recognises the comparison of a tag with a text or a regular
// expression, which the series decides: a tag that it lacks is "" then. It
// gives nil for everything else.
func tagCondition(expr *influxql.BinaryExpr) *Expr {
	ref, ok := expr.LHS.(*influxql.VarRef)
	value := expr.RHS
	if !ok {
		if ref, ok = expr.RHS.(*influxql.VarRef); !ok {
			return nil
		}
		value = expr.LHS
	}
	key := ref.Val
	switch {
	case key == "_name":
		key = model.MeasurementKey
	case ref.Type != influxql.Tag && ref.Type != influxql.Unknown:
		return nil
	}
	var p *model.Predicate
	switch value := value.(type) {
	case *influxql.StringLiteral:
		switch expr.Op {
		case influxql.EQ:
			p = &model.Predicate{Op: model.Equal, Key: key, Value: value.Val}
		case influxql.NEQ:
			p = &model.Predicate{Op: model.NotEqual, Key: key, Value: value.Val}
		default:
			return boolean(false)
		}
	case *influxql.RegexLiteral:
		if expr.Op != influxql.EQREGEX && expr.Op != influxql.NEQREGEX {
			return boolean(false)
		}
		p = model.MatchRegexp(key, value.Val, expr.Op == influxql.NEQREGEX)
	default:
		return nil
	}
	return &Expr{Kind: Series, Type: model.Boolean, Where: p}
}

// seriesPredicate gives a condition on the series that holds wherever e can be
// true; exact when it holds only where e is. nil is every series.
func seriesPredicate(e *Expr) (p *model.Predicate, exact bool) {
	switch {
	case e.Kind == Series:
		return e.Where, true
	case e.IsTrue():
		return nil, true
	case e.IsFalse():
		return &model.Predicate{Op: model.Nothing}, true
	case e.Kind != Binary || !e.Op.IsLogic():
		return nil, false
	}
	l, leftExact := seriesPredicate(e.Left)
	r, rightExact := seriesPredicate(e.Right)
	if e.Op == And {
		return model.AllOf(l, r), leftExact && rightExact
	}
	if l == nil || r == nil {
		return nil, leftExact && l == nil || rightExact && r == nil
	}
	return &model.Predicate{Op: model.Or, Left: l, Right: r}, leftExact && rightExact
}
