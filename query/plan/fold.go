package plan

import (
	"github.com/varvedb/varve/query/function"
)

// scalarValuer lets influxql.Reduce compute scalar functions of constants.
type scalarValuer struct{}

func (scalarValuer) Value(string) (any, bool) { return nil, false }

func (scalarValuer) Call(name string, args []any) (any, bool) {
	s := function.LookupScalar(name)
	if s == nil || len(args) != s.Args {
		return nil, false
	}
	if s.Keeps {
		switch x := args[0].(type) {
		case int64:
			if s.UnaryInteger != nil {
				return s.UnaryInteger(x), true
			}
			return x, true
		case uint64:
			return x, true
		}
	}
	x, ok := toFloat(args[0])
	if !ok {
		return nil, true
	}
	if s.Args == 1 {
		return s.Unary(x), true
	}
	y, ok := toFloat(args[1])
	if !ok {
		return nil, true
	}
	return s.Binary(x, y), true
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}
