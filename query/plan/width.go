package plan

import (
	"maps"
	"regexp"

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
	// maxLookUps bounds how often a name is looked up to find the types of a
	// statement: in a subquery each name of an expression is looked up for itself,
	// so the look-ups multiply with the depth.
	maxLookUps = 1_000_000
)

// checkColumns refuses a statement whose wildcards stand for too many columns,
// before they are put in its place. It gives the names of the result's columns
// and tags, as wildcards of a statement around it see them, and how many look-ups
// one of them takes at most.
func (s *Select) checkColumns(schemas []Schema) (result map[string]struct{}, lookUps int, err error) {
	names := make(map[string]struct{})
	sources := 0
	for _, x := range schemas {
		n := mentions(s.direct, x)
		if n == 0 {
			continue
		}
		sources += n
		for _, f := range x.Fields {
			names[f.Name] = struct{}{}
		}
		for _, k := range x.TagKeys {
			names[k] = struct{}{}
		}
	}
	below := 1
	for _, inner := range s.nested {
		of, n, err := inner.checkColumns(schemas)
		if err != nil {
			return nil, 0, err
		}
		maps.Copy(names, of)
		below = max(below, n)
		sources++
	}
	columns, refs := 0, 1
	for _, f := range s.stmt.Fields {
		columns += width(f.Expr, names)
		refs = max(refs, refsIn(f.Expr))
		if columns > maxColumns {
			return nil, 0, tooWide("columns", columns, maxColumns)
		}
	}
	if n := columns * sources; n > maxInputs {
		return nil, 0, tooWide("columns of all measurements", n, maxInputs)
	}
	if n := (columns*refs + refsIn(s.stmt.Condition)) * below; len(s.nested) > 0 && n > maxLookUps {
		return nil, 0, tooWide("look-ups of names", n, maxLookUps)
	}
	return s.resultNames(names), refs * below, nil
}

// refsIn gives how many names of fields and tags an expression has.
func refsIn(e influxql.Expr) int {
	n := 0
	influxql.WalkFunc(e, func(node influxql.Node) {
		if _, ok := node.(*influxql.VarRef); ok {
			n++
		}
	})
	return n
}

// resultNames gives the names of the result's columns and tags, names being
// those of what the statement reads.
func (s *Select) resultNames(names map[string]struct{}) map[string]struct{} {
	out := make(map[string]struct{})
	add := func(prefix string, re *regexp.Regexp) {
		for name := range names {
			if re == nil || re.MatchString(name) {
				out[prefix+name] = struct{}{}
			}
		}
	}
	each := func(e influxql.Expr, prefix string) bool {
		switch e := e.(type) {
		case *influxql.Wildcard:
			add(prefix, nil)
		case *influxql.RegexLiteral:
			add(prefix, e.Val)
		default:
			return false
		}
		return true
	}
	for _, f := range s.stmt.Fields {
		e := f.Expr
		for call, ok := e.(*influxql.Call); ok && len(call.Args) > 0; call, ok = e.(*influxql.Call) {
			e = call.Args[0]
		}
		switch prefix := f.Name() + "_"; {
		case e == f.Expr && each(e, ""), e != f.Expr && each(e, prefix):
		default:
			out[f.Name()] = struct{}{}
		}
	}
	for _, d := range s.stmt.Dimensions {
		if ref, ok := d.Expr.(*influxql.VarRef); ok {
			out[ref.Val] = struct{}{}
		} else {
			each(d.Expr, "")
		}
	}
	return out
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
