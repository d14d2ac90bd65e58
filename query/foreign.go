package query

import (
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// errForeign is the answer to a page of another origin that would change
// something: the browser that it is in may be where nobody else can be, and sends
// the credentials of its user.
var errForeign = &model.Error{
	Kind: model.ErrForbidden,
	Text: "a page of another origin may not change anything, unless cors-allowed-origins has it",
}

// refuseForeign gives the index of the first statement that a page of another
// origin may not run, and the error; nil where there is none.
func (r *Request) refuseForeign(statements influxql.Statements) (int, error) {
	if r.Foreign {
		for i, stmt := range statements {
			if changes(stmt) {
				return i, errForeign
			}
		}
	}
	return 0, nil
}

// changes reports whether a statement does more than show what there is.
func changes(stmt influxql.Statement) bool {
	switch stmt := stmt.(type) {
	case *influxql.SelectStatement:
		return stmt.Target != nil
	case *influxql.ExplainStatement:
		return stmt.Statement.Target != nil
	}
	return !strings.HasPrefix(actionOf(stmt), "show ")
}
