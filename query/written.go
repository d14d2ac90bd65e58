package query

import (
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/query/plan"
)

// asWritten makes a statement print what it was parsed from where the rewriter
// had changed that: GROUP BY time(1mo) and fill(previous, 7d). It is then good
// for nothing but to be printed.
func asWritten(node influxql.Node) {
	influxql.WalkFunc(node, func(n influxql.Node) {
		switch n := n.(type) {
		case *influxql.ExplainStatement:
			asWritten(n.Statement)
		case *influxql.SelectStatement:
			for _, d := range n.Dimensions {
				if call, ok := d.Expr.(*influxql.Call); ok && call.Name == "time" {
					timeAsWritten(n, call)
				}
			}
		}
	})
}

func timeAsWritten(stmt *influxql.SelectStatement, call *influxql.Call) {
	if len(call.Args) == 3 {
		if back, ok := call.Args[2].(*influxql.StringLiteral); ok && strings.HasPrefix(back.Val, plan.LookBack) {
			stmt.Fill, stmt.FillValue = influxql.NumberFill, "previous, "+back.Val[len(plan.LookBack):]
			call.Args = call.Args[:2]
			if offset, ok := call.Args[1].(*influxql.DurationLiteral); ok && offset.Val == 0 {
				call.Args = call.Args[:1]
			}
		}
	}
	if len(call.Args) > 0 {
		if every, ok := call.Args[0].(*influxql.StringLiteral); ok && calendarRE.MatchString(every.Val) {
			call.Args[0] = verbatim{Expr: every, text: every.Val}
		}
	}
}

// verbatim is an expression that prints a text.
type verbatim struct {
	influxql.Expr
	text string
}

func (v verbatim) String() string { return v.text }
