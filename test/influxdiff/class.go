package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/influxdata/influxql"
)

// A class is differences that have one reason, which is none of the candidate's
// mistakes. Where the reason hides what is compared, other says what to ask
// instead: both servers must answer that alike, or with a difference of a class
// that asks nothing else.
type class struct {
	name, reason string
	fits         func(q *question, d []diff) bool
	other        func(s *influxql.SelectStatement)
	tiesOnly     bool // where rows of equal time come in no order
}

var classes = []class{
	{
		name:   "infinite",
		reason: "InfluxDB breaks off an answer that has an infinite value; here it is null, as NaN is",
		fits: func(_ *question, d []diff) bool {
			return slices.ContainsFunc(d, func(d diff) bool { return strings.HasPrefix(d.A, `"json: unsupported value: `) })
		},
	},
	{
		name:   "equally frequent",
		reason: "InfluxDB sorts unstably, so which of several most frequent values mode() gives is chance; here it is the one that came first",
		fits:   func(q *question, d []diff) bool { return q.only(d, "mode") },
	},
	{
		name:   "filled beside",
		reason: "InfluxDB puts the number of fill() into columns of texts and booleans; here a column has one type, and \"\" or false stands there",
		fits: func(q *question, d []diff) bool {
			return q.stmt != nil && q.stmt.Fill == influxql.NumberFill && all(d, func(d diff) bool {
				_, err := strconv.ParseFloat(d.A, 64)
				return err == nil && (d.B == `""` || d.B == "false")
			})
		},
	},
	{
		name:   "equally large",
		reason: "InfluxDB sorts unstably, so which of several equal values a percentile(), top() or bottom() selects, with its time and what stands beside it, is chance",
		fits: func(q *question, d []diff) bool {
			return q.selects("percentile", "top", "bottom") && all(d, func(d diff) bool {
				return d.Kind == "ORDER" || d.Kind == "VALUE" && !q.calls(d, "percentile", "top", "bottom")
			})
		},
	},
	{
		name:   "end of percentile",
		reason: "InfluxDB ends the answer at the first window with too few values for a percentile(); here the next ones follow",
		fits: func(q *question, d []diff) bool {
			return q.selects("percentile") && all(d, func(d diff) bool {
				return d.Kind == "SHAPE" && len(d.A) < len(d.B) || d.Kind == "VALUE" && q.calls(d, "percentile")
			})
		},
	},
	{
		name:   "cut before top",
		reason: "InfluxDB applies LIMIT and OFFSET to the rows that top() and bottom() read; here to the rows they give",
		fits: func(q *question, d []diff) bool {
			return q.selects("top", "bottom") && q.stmt.Limit+q.stmt.Offset > 0 && inRows(d)
		},
		other: unlimited,
	},
	{
		name:   "series of a shard",
		reason: "InfluxDB counts SLIMIT and SOFFSET in each shard anew, so series that lack points in a shard make it show others, or parts of them",
		fits: func(q *question, d []diff) bool {
			return q.stmt != nil && q.stmt.SLimit+q.stmt.SOffset > 0 && inRows(d)
		},
		other: unlimited,
	},
	{
		name:   "window before the range",
		reason: "the first window of a subquery begins before the outer range, at which InfluxDB gives no answer at all",
		fits: func(q *question, d []diff) bool {
			inner := q.inner()
			return inner != nil && every(inner) && !every(q.stmt) && len(q.stmt.Fields) > 0 && q.outerCalls() &&
				all(d, func(d diff) bool { return d.Kind == "SHAPE" && d.A == "(absent)" })
		},
		other: func(s *influxql.SelectStatement) { s.Condition = withoutTime(s.Condition) },
	},
	{
		name:   "unordered subquery",
		reason: "InfluxDB reads the series of a subquery one after the other when an aggregate is around it, so a transformation inside compares points of different series, and windows outside, with fill() inside, come again and again; here all is in order of time",
		fits: func(q *question, d []diff) bool {
			inner := q.inner()
			return inner != nil && q.outerCalls() && (sequential(inner) || filled(inner)) && inRows(d)
		},
		other: apart,
	},
	{
		name:   "type of the first",
		reason: "InfluxDB takes the type of an aggregate's field from the first of several subqueries, and gives nothing where that has no such field",
		fits: func(q *question, d []diff) bool {
			return q.inner() != nil && len(q.stmt.Sources) > 1 && q.outerCalls() &&
				all(d, func(d diff) bool { return d.A == "null" || d.A == "(absent)" })
		},
		other: func(s *influxql.SelectStatement) { slices.Reverse(s.Sources) },
	},
	{
		name:   "tag against tag",
		reason: "InfluxDB answers whether a series has both tags; here their values are compared",
		fits: func(q *question, d []diff) bool {
			return q.stmt != nil && comparesTags(q.stmt) && inRows(d)
		},
	},
	{
		name:   "no number",
		reason: "InfluxDB compares with NaN when it looks for the largest and smallest values, and loses some; here what is no number does not count",
		fits: func(q *question, d []diff) bool {
			inner := q.inner()
			return inner != nil && q.selects("top", "bottom", "max", "min", "spread", "percentile", "median") && undefined.MatchString(inner.Fields.String()) && inRows(d)
		},
	},
	{
		name:     "equal times, integral",
		reason:   "between shards rows of equal time come in no order, and integral() takes the last of them; with each series apart InfluxDB's own answers vary",
		fits:     func(q *question, d []diff) bool { return q.names("integral") && inRows(d) },
		tiesOnly: true,
	},
	{
		name:   "equal times",
		reason: "between shards rows of equal time come in no order, and the values of a function of the order, or of a selector, follow it",
		fits: func(q *question, d []diff) bool {
			return q.stmt != nil && (sequential(q.stmt) || q.names("first", "last", "percentile", "top", "bottom", "max", "min")) && inRows(d)
		},
		other:    apart,
		tiesOnly: true,
	},
}

var undefined = regexp.MustCompile(`\b(sqrt|ln|log|log2|log10|asin|acos|pow)\(`)

// explain gives the class of what differs, nil when there is none.
func explain(k *testCase, d []diff, ties bool) *class {
	if k.Kind != "query" {
		return nil
	}
	q := ask(k)
	for i := range classes {
		if c := &classes[i]; (ties || !c.tiesOnly) && c.fits(q, d) {
			return c
		}
	}
	return nil
}

// instead gives the case that asks what c says, nil when there is none.
func (c *class) instead(k *testCase) *testCase {
	q := ask(k)
	if c.other == nil || q.stmt == nil {
		return nil
	}
	c.other(q.stmt)
	o := *k
	o.Body = q.stmt.String()
	return &o
}

// A question is the text of a case. Its stmt is nil unless that is one SELECT.
type question struct {
	stmt    *influxql.SelectStatement
	columns []influxql.Expr // of the answer; a wildcard has all that are left
}

func ask(k *testCase) *question {
	q := &question{}
	parsed, err := influxql.ParseQuery(k.Body)
	if err != nil || len(parsed.Statements) != 1 {
		return q
	}
	s, ok := parsed.Statements[0].(*influxql.SelectStatement)
	if !ok {
		return q
	}
	q.stmt, q.columns = s, []influxql.Expr{&influxql.VarRef{Val: "time"}}
	for _, f := range s.Fields {
		q.columns = append(q.columns, f.Expr)
		if c, ok := f.Expr.(*influxql.Call); ok && (c.Name == "top" || c.Name == "bottom") && len(c.Args) > 2 {
			q.columns = append(q.columns, c.Args[1:len(c.Args)-1]...)
		}
	}
	return q
}

var columnRE = regexp.MustCompile(`\.values\[\d+\]\[(\d+)\]$`)

// calls tells whether the column of a difference has one of the functions.
func (q *question) calls(d diff, names ...string) bool {
	m := columnRE.FindStringSubmatch(d.Where)
	if m == nil || q.stmt == nil {
		return false
	}
	i, _ := strconv.Atoi(m[1])
	for j, x := range q.columns {
		if j == i || j < i && wildcard(x) {
			return named(x, names...)
		}
	}
	return false
}

// only tells whether nothing differs but values of the functions.
func (q *question) only(d []diff, names ...string) bool {
	return all(d, func(d diff) bool { return d.Kind == "VALUE" && q.calls(d, names...) })
}

// selects tells whether one of the functions is in the outermost statement.
func (q *question) selects(names ...string) bool {
	return slices.ContainsFunc(q.columns, func(x influxql.Expr) bool { return named(x, names...) })
}

// names tells whether one of the functions is in the statement at any depth.
func (q *question) names(names ...string) bool {
	return q.stmt != nil && named(q.stmt, names...)
}

func (q *question) outerCalls() bool {
	return slices.ContainsFunc(q.columns, func(x influxql.Expr) bool { return hasCall(x, func(string) bool { return true }) })
}

// inner gives the first subquery.
func (q *question) inner() *influxql.SelectStatement {
	if q.stmt == nil {
		return nil
	}
	for _, s := range q.stmt.Sources {
		if sub, ok := s.(*influxql.SubQuery); ok {
			return sub.Statement
		}
	}
	return nil
}

// sequential tells whether a statement or a subquery of it has a function of the
// order of points.
func sequential(s *influxql.SelectStatement) bool {
	return named(s, "derivative", "non_negative_derivative", "difference", "non_negative_difference", "moving_average",
		"cumulative_sum", "elapsed", "chande_momentum_oscillator", "exponential_moving_average", "double_exponential_moving_average",
		"triple_exponential_moving_average", "relative_strength_index", "triple_exponential_derivative", "kaufmans_efficiency_ratio",
		"kaufmans_adaptive_moving_average")
}

// filled tells whether a statement or a subquery of it has windows that fill()
// gives a value.
func filled(s *influxql.SelectStatement) bool {
	if every(s) && s.Fill != influxql.NoFill && s.Fill != influxql.NullFill {
		return true
	}
	return slices.ContainsFunc(s.Sources, func(source influxql.Source) bool {
		sub, ok := source.(*influxql.SubQuery)
		return ok && filled(sub.Statement)
	})
}

// comparesTags tells whether two tags of the data set are compared.
func comparesTags(s *influxql.SelectStatement) bool {
	isTag := func(x influxql.Expr) bool {
		ref, ok := x.(*influxql.VarRef)
		return ok && slices.ContainsFunc(shapes, func(s shape) bool { return slices.Contains(s.tags, ref.Val) })
	}
	found := false
	influxql.WalkFunc(s, func(n influxql.Node) {
		if b, ok := n.(*influxql.BinaryExpr); ok && isTag(b.LHS) && isTag(b.RHS) {
			found = true
		}
	})
	return found
}

// every tells whether a statement has windows.
func every(s *influxql.SelectStatement) bool {
	d, err := s.GroupByInterval()
	return err == nil && d > 0
}

func named(n influxql.Node, names ...string) bool {
	return hasCall(n, func(name string) bool { return slices.Contains(names, name) })
}

func hasCall(n influxql.Node, is func(string) bool) bool {
	found := false
	influxql.WalkFunc(n, func(n influxql.Node) {
		if c, ok := n.(*influxql.Call); ok && c.Name != "time" && is(c.Name) {
			found = true
		}
	})
	return found
}

func wildcard(x influxql.Expr) bool {
	found := false
	influxql.WalkFunc(x, func(n influxql.Node) {
		switch n.(type) {
		case *influxql.Wildcard, *influxql.RegexLiteral:
			found = true
		}
	})
	return found
}

func all(d []diff, is func(diff) bool) bool {
	return !slices.ContainsFunc(d, func(d diff) bool { return !is(d) })
}

// inRows tells whether nothing differs but which rows there are and what is in
// them.
func inRows(d []diff) bool {
	return all(d, func(d diff) bool { return d.Kind == "SHAPE" || d.Kind == "VALUE" || d.Kind == "ORDER" })
}

func unlimited(s *influxql.SelectStatement) { s.Limit, s.Offset, s.SLimit, s.SOffset = 0, 0, 0, 0 }

// apart puts each series into a group of its own.
func apart(s *influxql.SelectStatement) {
	unlimited(s)
	s.Dimensions = slices.DeleteFunc(s.Dimensions, func(d *influxql.Dimension) bool {
		_, window := d.Expr.(*influxql.Call)
		return !window
	})
	s.Dimensions = append(s.Dimensions, &influxql.Dimension{Expr: &influxql.Wildcard{}})
	for _, source := range s.Sources {
		if sub, ok := source.(*influxql.SubQuery); ok {
			apart(sub.Statement)
		}
	}
}

// withoutTime gives what is left of a condition without comparisons of time.
func withoutTime(x influxql.Expr) influxql.Expr {
	b, ok := x.(*influxql.BinaryExpr)
	if !ok {
		return x
	}
	if ref, ok := b.LHS.(*influxql.VarRef); ok && ref.Val == "time" {
		return nil
	}
	if b.Op != influxql.AND {
		return x
	}
	l, r := withoutTime(b.LHS), withoutTime(b.RHS)
	switch {
	case l == nil:
		return r
	case r == nil:
		return l
	}
	return &influxql.BinaryExpr{Op: influxql.AND, LHS: l, RHS: r}
}
