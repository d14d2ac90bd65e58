package plan

import (
	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/query/function"
)

// checker collects what the selected fields use, to tell which of them go
// together. It knows all functions of InfluxDB, also those that are refused
// afterwards, so that wrong statements get InfluxDB's errors.
type checker struct {
	grouped bool // by time
	// inherited is set where only the statement around a subquery is grouped by
	// time, which does not oblige the subquery.
	inherited bool
	limit     int
	into      bool
	timeName  string // of the time column: "" is "time"

	fieldCount    int
	calls         []*influxql.Call // all but scalar functions, also nested ones
	onlySelectors bool
	distinct      bool   // a distinct() that is not in another call
	topBottom     string // top or bottom, when there is one
	auxiliary     bool   // a field or tag stands outside of all calls
	lookBack      int    // how many windows before the first one are needed
}

// fields checks every selected field and folds constants in it.
func (c *checker) fields(stmt *influxql.SelectStatement) error {
	c.onlySelectors = true
	for _, f := range stmt.Fields {
		if ref, ok := f.Expr.(*influxql.VarRef); ok && ref.Val == "time" {
			if f.Alias != "" {
				c.timeName = f.Alias
			}
			continue
		}
		f.Expr = influxql.Reduce(f.Expr, scalarValuer{})
		if d, ok := f.Expr.(*influxql.Distinct); ok {
			f.Expr = d.NewCall()
		}
		c.fieldCount++
		e := exprChecker{checker: c, wildcards: true}
		if err := e.expr(f.Expr); err != nil {
			return err
		}
	}
	return nil
}

// combination checks what the fields are together.
func (c *checker) combination(stmt *influxql.SelectStatement) error {
	if c.fieldCount == 0 {
		return invalidf("at least 1 non-time field must be queried")
	}
	if len(c.calls) > 1 && c.topBottom != "" {
		return invalidf("selector function %s() cannot be combined with other functions", c.topBottom)
	}
	if len(c.calls) == 0 {
		switch {
		case stmt.Fill == influxql.NoFill:
			return invalidf("fill(none) must be used with a function")
		case stmt.Fill == influxql.LinearFill:
			return invalidf("fill(linear) must be used with a function")
		case c.grouped && !c.inherited:
			return invalidf("GROUP BY requires at least one aggregate function")
		}
	}
	if c.distinct && (len(c.calls) != 1 || c.auxiliary) {
		return invalidf("aggregate function distinct() cannot be combined with other functions or fields")
	}
	if c.auxiliary {
		if !c.onlySelectors {
			return invalidf("mixing aggregate and non-aggregate queries is not supported")
		} else if len(c.calls) > 1 {
			return invalidf("mixing multiple selector functions with tags or fields is not supported")
		}
	}
	return nil
}

// exprChecker checks one selected field.
type exprChecker struct {
	*checker
	wildcards bool // whether * and regular expressions may stand here
}

func (c *exprChecker) expr(expr influxql.Expr) error {
	switch expr := expr.(type) {
	case *influxql.VarRef:
		c.auxiliary = true
		return nil
	case *influxql.Wildcard:
		c.auxiliary = true
		if !c.wildcards {
			return invalidf("unable to use wildcard in a binary expression")
		}
		return nil
	case *influxql.RegexLiteral:
		if !c.wildcards {
			return invalidf("unable to use regex in a binary expression")
		}
		c.auxiliary = true
		return nil
	case *influxql.Call:
		if s := function.LookupScalar(expr.Name); s != nil {
			return c.scalar(s, expr)
		}
		c.calls = append(c.calls, expr)
		return c.call(expr)
	case *influxql.Distinct:
		call := expr.NewCall()
		c.calls = append(c.calls, call)
		return c.checkDistinct(call.Args, false)
	case *influxql.BinaryExpr:
		return c.binary(expr)
	case *influxql.ParenExpr:
		return c.expr(expr.Expr)
	case influxql.Literal:
		return invalidf("field must contain at least one variable")
	}
	return invalidf("unimplemented")
}

func (c *exprChecker) binary(expr *influxql.BinaryExpr) error {
	// What * stands for is put in place of whole fields.
	c.wildcards = false
	_, left := expr.LHS.(influxql.Literal)
	_, right := expr.RHS.(influxql.Literal)
	switch {
	case left && right:
		return invalidf("cannot perform a binary expression on two literals")
	case left:
		return c.expr(expr.RHS)
	case right:
		return c.expr(expr.LHS)
	}
	if err := c.expr(expr.LHS); err != nil {
		return err
	}
	return c.expr(expr.RHS)
}

func (c *exprChecker) scalar(s *function.Scalar, call *influxql.Call) error {
	if got := len(call.Args); got != s.Args {
		return invalidf("invalid number of arguments for %s, expected %d, got %d", call.Name, s.Args, got)
	}
	for _, arg := range call.Args {
		if _, ok := arg.(influxql.Literal); ok {
			continue
		}
		if err := c.expr(arg); err != nil {
			return err
		}
	}
	return nil
}

// nested checks an expression that is an argument.
func (c *exprChecker) nested(expr influxql.Expr) error {
	switch expr := expr.(type) {
	case *influxql.Call:
		if expr.Name == "distinct" {
			return c.checkDistinct(expr.Args, true)
		}
	case *influxql.Distinct:
		return c.checkDistinct(expr.NewCall().Args, true)
	}
	return c.expr(expr)
}

// symbol checks the argument of a function that takes a field.
func (c *exprChecker) symbol(name string, arg influxql.Expr) error {
	switch arg.(type) {
	case *influxql.VarRef:
		return nil
	case *influxql.Wildcard:
		if !c.wildcards {
			return invalidf("unsupported expression with wildcard: %s()", name)
		}
		c.onlySelectors = false
		return nil
	case *influxql.RegexLiteral:
		if !c.wildcards {
			return invalidf("unsupported expression with regex field: %s()", name)
		}
		c.onlySelectors = false
		return nil
	}
	return invalidf("expected field argument in %s()", name)
}

// checkCondition checks that WHERE has no calls but scalar ones.
func checkCondition(expr influxql.Expr) error {
	switch expr := expr.(type) {
	case *influxql.BinaryExpr:
		if err := checkCondition(expr.LHS); err != nil {
			return err
		}
		return checkCondition(expr.RHS)
	case *influxql.Call:
		s := function.LookupScalar(expr.Name)
		if s == nil {
			return invalidf("invalid function call in condition: %s", expr)
		}
		want := s.Args
		if expr.Name == "log" {
			want = 1 // so does InfluxDB, which then evaluates it to nothing
		}
		if got := len(expr.Args); got != want {
			return invalidf("invalid number of arguments for %s, expected %d, got %d", expr.Name, want, got)
		}
		for _, arg := range expr.Args {
			if err := checkCondition(arg); err != nil {
				return err
			}
		}
	}
	return nil
}
