package plan

import (
	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// Wildcards multiply: a short statement can stand for millions of columns, each
// of which has a name, an expression and buffers.
const (
	// maxColumns bounds the columns of a result.
	maxColumns = 100_000
	// maxInputs bounds what is read of all measurements together: the columns
	// of the result count for each measurement in the statement's sources.
	maxInputs = 1_000_000
)

// checkColumns refuses a statement whose wildcards stand for too many columns,
// before they are put in its place.
func (s *Select) checkColumns(schemas []Schema) error {
	names := make(map[string]struct{})
	sources := 0
	for _, x := range schemas {
		sources += s.mentions(x)
		for _, f := range x.Fields {
			names[f.Name] = struct{}{}
		}
		for _, k := range x.TagKeys {
			names[k] = struct{}{}
		}
	}
	columns := 0
	for _, f := range s.stmt.Fields {
		columns += width(f.Expr, names)
		if columns > maxColumns {
			return tooWide("columns", columns, maxColumns)
		}
	}
	if n := columns * sources; n > maxInputs {
		return tooWide("columns of all measurements", n, maxInputs)
	}
	return nil
}

// width gives how many columns an expression of a SELECT stands for, at most.
func width(e influxql.Expr, names map[string]struct{}) int {
	switch e := e.(type) {
	case *influxql.Wildcard:
		return len(names)
	case *influxql.RegexLiteral:
		n := 0
		for name := range names {
			if e.Val.MatchString(name) {
				n++
			}
		}
		return n
	case *influxql.Call:
		if len(e.Args) > 0 {
			return width(e.Args[0], names)
		}
	}
	return 1
}

func tooWide(what string, n, limit int) error {
	return &model.Error{Kind: model.ErrTooLarge, Text: errText("select is too wide: %d %s, the limit is %d", n, what, limit)}
}
