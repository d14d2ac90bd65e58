package query

import "github.com/influxdata/influxql"

// balance turns the chains of AND and of OR in a condition, which the parser
// hangs one below the other, into trees as low as can be. What they mean and
// how they print does not change. The parser's package takes time quadratic in
// the depth of a condition to find the terms on time in it: 24 seconds for
// 10,000 terms, 0.1 when balanced.
func balance(e influxql.Expr) influxql.Expr {
	switch e := e.(type) {
	case *influxql.ParenExpr:
		e.Expr = balance(e.Expr)
	case *influxql.BinaryExpr:
		if e.Op != influxql.AND && e.Op != influxql.OR {
			return e
		}
		var terms []influxql.Expr // from right to left
		left := influxql.Expr(e)
		for {
			b, ok := left.(*influxql.BinaryExpr)
			if !ok || b.Op != e.Op {
				break
			}
			terms = append(terms, balance(b.RHS))
			left = b.LHS
		}
		return join(e.Op, append(terms, balance(left)))
	}
	return e
}

// join makes a tree of terms that come from right to left.
func join(op influxql.Token, terms []influxql.Expr) influxql.Expr {
	if len(terms) == 1 {
		return terms[0]
	}
	half := len(terms) / 2
	return &influxql.BinaryExpr{Op: op, LHS: join(op, terms[half:]), RHS: join(op, terms[:half])}
}
