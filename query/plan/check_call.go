package plan

import (
	"slices"

	"github.com/influxdata/influxql"
)

// call checks the arguments of a function that is not scalar.
func (c *exprChecker) call(call *influxql.Call) error {
	name, args := call.Name, call.Args
	switch name {
	case "max", "min", "first", "last":
		return c.simple(name, args)
	case "count", "sum", "mean", "median", "mode", "stddev", "spread":
		c.onlySelectors = false
		return c.simple(name, args)
	case "percentile":
		return c.percentile(args)
	case "sample":
		return c.sample(args)
	case "distinct":
		return c.checkDistinct(args, false)
	case "top", "bottom":
		return c.top(call)
	case "integral":
		return c.integral(args)
	case "derivative", "non_negative_derivative", "elapsed":
		return c.timed(name, args)
	case "difference", "non_negative_difference", "cumulative_sum":
		if got := len(args); got != 1 {
			return invalidf("invalid number of arguments for %s, expected 1, got %d", name, got)
		}
		return c.transformed(name, args[0], 1, true)
	case "moving_average":
		return c.movingAverage(args)
	case "exponential_moving_average", "double_exponential_moving_average", "triple_exponential_moving_average",
		"relative_strength_index", "triple_exponential_derivative":
		return c.technical(name, args, 4, "'exponential' 'simple'", "exponential", "simple")
	case "kaufmans_efficiency_ratio", "kaufmans_adaptive_moving_average":
		return c.technical(name, args, 3, "")
	case "chande_momentum_oscillator":
		return c.technical(name, args, 4, "'none' 'exponential' 'simple'", "none", "exponential", "simple")
	case "holt_winters", "holt_winters_with_fit":
		return c.holtWinters(name, args)
	}
	return invalidf("undefined function %s()", name)
}

// simple checks a function of one field.
func (c *exprChecker) simple(name string, args []influxql.Expr) error {
	if got := len(args); got != 1 {
		return invalidf("invalid number of arguments for %s, expected 1, got %d", name, got)
	}
	if name == "count" {
		switch arg := args[0].(type) {
		case *influxql.Call:
			if arg.Name == "distinct" {
				return c.checkDistinct(arg.Args, true)
			}
		case *influxql.Distinct:
			return c.checkDistinct(arg.NewCall().Args, true)
		}
	}
	return c.symbol(name, args[0])
}

func (c *exprChecker) checkDistinct(args []influxql.Expr, nested bool) error {
	switch {
	case len(args) == 0:
		return invalidf("distinct function requires at least one argument")
	case len(args) != 1:
		return invalidf("distinct function can only have one argument")
	}
	if _, ok := args[0].(*influxql.VarRef); !ok {
		return invalidf("expected field argument in distinct()")
	}
	if !nested {
		c.distinct = true
	}
	c.onlySelectors = false
	return nil
}

func (c *exprChecker) percentile(args []influxql.Expr) error {
	if got := len(args); got != 2 {
		return invalidf("invalid number of arguments for percentile, expected 2, got %d", got)
	}
	switch args[1].(type) {
	case *influxql.IntegerLiteral, *influxql.NumberLiteral:
		return c.symbol("percentile", args[0])
	}
	return invalidf("expected float argument in percentile()")
}

func (c *exprChecker) sample(args []influxql.Expr) error {
	if got := len(args); got != 2 {
		return invalidf("invalid number of arguments for sample, expected 2, got %d", got)
	}
	n, ok := args[1].(*influxql.IntegerLiteral)
	if !ok {
		return invalidf("expected integer argument in sample()")
	} else if n.Val <= 0 {
		return invalidf("sample window must be greater than 1, got %d", n.Val)
	}
	return c.symbol("sample", args[0])
}

func (c *exprChecker) top(call *influxql.Call) error {
	name, args := call.Name, call.Args
	if c.topBottom != "" {
		return invalidf("selector function %s() cannot be combined with other functions", c.topBottom)
	}
	if got := len(args); got < 2 {
		return invalidf("invalid number of arguments for %s, expected at least 2, got %d", name, got)
	}
	limit, ok := args[len(args)-1].(*influxql.IntegerLiteral)
	if !ok {
		return invalidf("expected integer as last argument in %s(), found %s", name, args[len(args)-1])
	} else if limit.Val <= 0 {
		return invalidf("limit (%d) in %s function must be at least 1", limit.Val, name)
	} else if c.limit > 0 && int(limit.Val) > c.limit {
		return invalidf("limit (%d) in %s function can not be larger than the LIMIT (%d) in the select statement", limit.Val, name, c.limit)
	}
	if _, ok := args[0].(*influxql.VarRef); !ok {
		return invalidf("expected first argument to be a field in %s(), found %s", name, args[0])
	}
	for _, arg := range args[1 : len(args)-1] {
		if _, ok := arg.(*influxql.VarRef); !ok {
			return invalidf("only fields or tags are allowed in %s(), found %s", name, arg)
		}
		if !c.into {
			c.auxiliary = true
		}
	}
	c.topBottom = name
	return nil
}

func (c *exprChecker) integral(args []influxql.Expr) error {
	if got := len(args); got < 1 || got > 2 {
		return invalidf("invalid number of arguments for integral, expected at least 1 but no more than 2, got %d", got)
	}
	if len(args) == 2 {
		d, ok := args[1].(*influxql.DurationLiteral)
		if !ok {
			return invalidf("second argument must be a duration")
		} else if d.Val <= 0 {
			return invalidf("duration argument must be positive, got %s", influxql.FormatDuration(d.Val))
		}
	}
	c.onlySelectors = false
	return c.symbol("integral", args[0])
}

// timed checks a transformation with an optional duration.
func (c *exprChecker) timed(name string, args []influxql.Expr) error {
	if got := len(args); got < 1 || got > 2 {
		return invalidf("invalid number of arguments for %s, expected at least 1 but no more than 2, got %d", name, got)
	}
	if len(args) == 2 {
		d, ok := args[1].(*influxql.DurationLiteral)
		if !ok {
			return invalidf("second argument to %s must be a duration, got %T", name, args[1])
		} else if d.Val <= 0 {
			return invalidf("duration argument must be positive, got %s", influxql.FormatDuration(d.Val))
		}
	}
	return c.transformed(name, args[0], 1, true)
}

func (c *exprChecker) movingAverage(args []influxql.Expr) error {
	if got := len(args); got != 2 {
		return invalidf("invalid number of arguments for moving_average, expected 2, got %d", got)
	}
	n, ok := args[1].(*influxql.IntegerLiteral)
	if !ok {
		return invalidf("second argument for moving_average must be an integer, got %T", args[1])
	} else if n.Val <= 1 {
		return invalidf("moving_average window must be greater than 1, got %d", n.Val)
	}
	return c.transformed("moving_average", args[0], int(n.Val), true)
}

// technical checks the moving averages and their like: a field, a period, a
// hold period, and a way to warm up.
func (c *exprChecker) technical(name string, args []influxql.Expr, most int, list string, warmups ...string) error {
	if got := len(args); got < 2 || got > most {
		return invalidf("invalid number of arguments for %s, expected at least 2 but no more than %d, got %d", name, most, got)
	}
	period, ok := args[1].(*influxql.IntegerLiteral)
	if !ok {
		return invalidf("%s period must be an integer", name)
	} else if period.Val < 1 {
		return invalidf("%s period must be greater than or equal to 1", name)
	}
	if len(args) >= 3 {
		hold, ok := args[2].(*influxql.IntegerLiteral)
		switch {
		case !ok:
			return invalidf("%s hold period must be an integer", name)
		case name == "triple_exponential_derivative" && hold.Val < 1 && hold.Val != -1:
			return invalidf("%s hold period must be greater than or equal to 1", name)
		case hold.Val < 0 && hold.Val != -1:
			return invalidf("%s hold period must be greater than or equal to 0", name)
		}
	}
	if len(args) >= 4 {
		warmup, ok := args[3].(*influxql.StringLiteral)
		if !ok {
			return invalidf("%s warmup type must be a string", name)
		} else if !slices.Contains(warmups, warmup.Val) {
			return invalidf("%s warmup type must be one of: %s", name, list)
		}
	}
	return c.transformed(name, args[0], int(period.Val), false)
}

func (c *exprChecker) holtWinters(name string, args []influxql.Expr) error {
	if got := len(args); got != 3 {
		return invalidf("invalid number of arguments for %s, expected 3, got %d", name, got)
	}
	n, ok := args[1].(*influxql.IntegerLiteral)
	if !ok {
		return invalidf("expected integer argument as second arg in %s", name)
	} else if n.Val <= 0 {
		return invalidf("second arg to %s must be greater than 0, got %d", name, n.Val)
	}
	season, ok := args[2].(*influxql.IntegerLiteral)
	if !ok {
		return invalidf("expected integer argument as third arg in %s", name)
	} else if season.Val < 0 {
		return invalidf("third arg to %s cannot be negative, got %d", name, season.Val)
	}
	c.onlySelectors = false
	call, ok := args[0].(*influxql.Call)
	if !ok {
		return invalidf("must use aggregate function with %s", name)
	} else if !c.grouped {
		return invalidf("%s aggregate requires a GROUP BY interval", name)
	}
	return c.nested(call)
}

// transformed checks what a transformation is applied to: a field, or an
// aggregate by time. lookBack is how many windows before the first one it may
// need.
func (c *exprChecker) transformed(name string, arg influxql.Expr, lookBack int, distinct bool) error {
	c.onlySelectors = false
	c.lookBack = max(c.lookBack, lookBack)
	call, ok := arg.(*influxql.Call)
	switch {
	case ok && !c.grouped:
		return invalidf("%s aggregate requires a GROUP BY interval", name)
	case ok && distinct:
		return c.nested(call)
	case ok:
		return c.expr(call)
	case c.grouped && !c.inherited:
		return invalidf("aggregate function required inside the call to %s", name)
	}
	return c.symbol(name, arg)
}
