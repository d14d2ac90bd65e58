package query

import (
	"strconv"

	"github.com/influxdata/influxql"
)

// knownTime is the second argument of a time() that is there for the parser
// alone: in CREATE CONTINUOUS QUERY it looks for the first time() of the GROUP BY
// and wants a duration in it, no shorter than RESAMPLE FOR.
const knownTime = "'for the parser'"

// knownTime puts a time() before the one that begins at start, in a statement
// and a clause where the parser looks for it.
func (r *rewriter) knownTime(start int, every string) {
	outermost := len(r.frames) == 1
	if outermost && r.words == [3]string{"create", "continuous", "query"} {
		r.edits = append(r.edits, edit{from: start, to: start, with: "time(" + every + ", " + knownTime + "), "})
	}
}

// longest gives how long n months, quarters or years take at most.
func longest(n, unit string) string {
	days := map[string]int{"mo": 31, "q": 92, "y": 366}[unit]
	count, _ := strconv.Atoi(n) // up to six digits
	return strconv.Itoa(max(1, count*days)) + "d"
}

// withoutKnownTime takes the time() that is there for the parser alone out of a
// statement.
func withoutKnownTime(stmt influxql.Statement) {
	create, ok := stmt.(*influxql.CreateContinuousQueryStatement)
	if !ok {
		return
	}
	for i, d := range create.Source.Dimensions {
		if call, ok := d.Expr.(*influxql.Call); ok && len(call.Args) == 2 && call.Args[1].String() == knownTime {
			create.Source.Dimensions = append(create.Source.Dimensions[:i:i], create.Source.Dimensions[i+1:]...)
			return
		}
	}
}
