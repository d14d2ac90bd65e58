package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// call adds a slot for a call, unless not even its type is known: then it never
// has a value.
func (b *binder) call(call *influxql.Call) error {
	bound := BoundCall{Scan: -1, Range: b.sel.Range, of: call}
	t, err := b.points(call, b.sel.Range, &bound)
	if err != nil {
		return err
	}
	if t == 0 {
		if t = typeWithoutPoints(call); t == 0 {
			return nil
		}
		bound.Scan = -1
	}
	b.slots[call.String()] = len(b.out.Slots)
	b.out.Slots = append(b.out.Slots, t)
	b.out.Calls = append(b.out.Calls, bound)
	return nil
}

// typeWithoutPoints gives the type of a call of which nothing is stored, 0 where
// it has none. Calls of tags have no points, and the numbers of fill() as they
// are.
func typeWithoutPoints(call *influxql.Call) model.FieldType {
	types := influxql.TypeValuerEval{TypeMapper: callTypes{}}
	t, _ := types.EvalType(call)
	if t == influxql.Tag {
		return model.Float
	}
	return fieldType(t)
}

// points finds what the points of a call over a range are made of, and their
// type, 0 where there are none.
func (b *binder) points(call *influxql.Call, r model.TimeRange, out *BoundCall) (model.FieldType, error) {
	f, _ := function.Lookup(call.Name)
	arg := call.Args[0]
	if inner, ok := arg.(*influxql.Call); ok && f == function.Count && inner.Name == "distinct" {
		f, arg = function.CountDistinct, inner.Args[0]
	}
	inner, nested := arg.(*influxql.Call)
	if nested && f.Aggregates() {
		return 0, invalidf("expected field argument in %s()", call.Name)
	}
	if !nested {
		ref, ok := arg.(*influxql.VarRef)
		if !ok {
			return 0, invalidf("expected field argument in %s()", call.Name)
		}
		return b.overField(f, call, ref, r, out)
	}
	if f.LooksBack() {
		r = b.sel.lookBack(r, 1)
	}
	t, err := b.points(inner, r, out)
	if t == 0 || err != nil {
		return 0, err
	}
	if !f.Takes(t) && inner.Name == "distinct" {
		return 0, unsupportedType(f, t, "Interval")
	}
	return b.addStage(f, call, t, out)
}

// overField is a call of a field: an aggregate, or a function over the rows.
func (b *binder) overField(f function.ID, call *influxql.Call, ref *influxql.VarRef, r model.TimeRange, out *BoundCall) (model.FieldType, error) {
	t := b.argument(ref)
	if t == 0 || !f.Takes(t) && !b.stored(ref.Val, t) {
		return 0, nil
	}
	out.Range = r
	selectsRows := f == function.Percentile && len(b.refs) > 0
	if f.Aggregates() && !selectsRows {
		out.of = call
		return b.aggregate(f, call, ref, out)
	}
	out.of = ref
	result, err := b.addStage(f, call, t, out)
	if err != nil {
		return 0, err
	}
	if f.LooksBack() {
		r = b.sel.lookBack(r, 1) // where a subquery inherits windows
	}
	s := b.scan(r)
	s.addColumns(b.refs)
	s.addColumns([]influxql.VarRef{*ref})
	s.addColumns(b.carried())
	out.Scan, out.Column = len(b.scans)-1, len(b.refs)
	if (f == function.Top || f == function.Bottom) && len(b.sel.nested) == 0 {
		stage := &out.Stages[0]
		stage.Selected = true
		s.template.Best = &Best{Function: f, N: stage.N, Column: out.Column, Keys: stage.Keys}
	}
	return result, nil
}

// argument gives the type of the values of a call's argument. Tags have values
// for calls in the rows of subqueries only.
func (b *binder) argument(ref *influxql.VarRef) model.FieldType {
	if ref.Type == influxql.Tag && len(b.sel.nested) > 0 {
		return model.String
	}
	return fieldType(ref.Type)
}

// stored reports whether some measurement has values of a type, or such as can
// be read as it, in a field. A cast can ask for others.
func (b *binder) stored(field string, t model.FieldType) bool {
	return len(b.sel.nested) > 0 || slices.ContainsFunc(b.schemas, func(s Schema) bool {
		return slices.ContainsFunc(s.Fields, func(f model.Field) bool { return f.Name == field && converts(f.Type, t) })
	})
}

// aggregate adds an aggregate to the scan of the call's range.
func (b *binder) aggregate(f function.ID, call *influxql.Call, ref *influxql.VarRef, out *BoundCall) (model.FieldType, error) {
	t := b.argument(ref)
	if !f.Takes(t) {
		return 0, unsupportedType(f, t, "Interrupt")
	}
	bound := BoundAggregate{Function: f, Type: t}
	if f == function.Percentile {
		bound.Argument = number(call.Args[1])
	}
	// In InfluxDB the shards do not give what is before the range that they were
	// chosen for, also where nested transformations look further back.
	reads := b.sel.reads(out.Range)
	reads = model.TimeRange{Min: max(reads.Min, b.sel.Reads.Min), Max: min(reads.Max, b.sel.Reads.Max)}
	out.Scan = slices.IndexFunc(b.scans, func(s *scanBinder) bool { return !s.out.Raw() && s.out.Range == reads })
	if out.Scan < 0 {
		out.Scan = len(b.scans)
		b.scan(reads).addColumns(b.refs)
	}
	s := b.scans[out.Scan]
	key := scanCall{bound, s.input(ref).Column}
	at, ok := s.calls[key]
	if !ok {
		at = len(s.calls)
		s.calls[key] = at
		s.out.Aggregates = append(s.out.Aggregates, bound)
		s.template.Aggregates = append(s.template.Aggregates, Aggregate{Function: f, Input: key.input})
	}
	out.Column = at
	return f.Result(t), nil
}

// addStage adds a stage over points of a type and gives the type of its result.
func (b *binder) addStage(f function.ID, call *influxql.Call, t model.FieldType, out *BoundCall) (model.FieldType, error) {
	if !f.Takes(t) {
		return 0, unsupportedType(f, t, "Interrupt")
	}
	s := Stage{Function: f, Type: t, Hold: -1}
	switch f {
	case function.Derivative, function.NonNegativeDerivative:
		s.Unit = unit(call, time.Second)
		if len(call.Args) == 1 && !b.sel.window.IsZero() {
			s.Unit = b.sel.window.Every
		}
	case function.Elapsed:
		s.Unit = unit(call, time.Nanosecond)
	case function.Integral:
		s.Unit = unit(call, time.Second)
	case function.Percentile:
		s.Argument = number(call.Args[1])
	case function.HoltWinters, function.HoltWintersWithFit:
		s.N, s.Season, s.Unit = integer(call.Args[1]), integer(call.Args[2]), b.sel.window.Every
	case function.Top, function.Bottom:
		s.N = integer(call.Args[len(call.Args)-1])
		s.Keys = b.keys(call.Args[1 : len(call.Args)-1])
	default:
		if len(call.Args) > 1 {
			s.N = integer(call.Args[1])
		}
		if len(call.Args) > 2 {
			s.Hold = integer(call.Args[2])
		}
		if len(call.Args) > 3 {
			s.Warmup = call.Args[3].(*influxql.StringLiteral).Val
		}
	}
	out.Stages = append(out.Stages, s)
	return f.Result(t), nil
}

// keys gives the tags among the arguments of top() and bottom(), as indexes
// among the columns before the value; nil where there are no arguments at all.
func (b *binder) keys(args []influxql.Expr) []int {
	if len(args) == 0 {
		return nil
	}
	keys := []int{}
	for _, arg := range args {
		if ref, ok := arg.(*influxql.VarRef); ok && ref.Type == influxql.Tag {
			if i := slices.Index(b.refs, *ref); i >= 0 {
				keys = append(keys, i)
			}
		}
	}
	return keys
}

// unit gives the duration that is the call's second argument.
func unit(call *influxql.Call, otherwise time.Duration) int64 {
	if len(call.Args) == 2 {
		if d, ok := call.Args[1].(*influxql.DurationLiteral); ok {
			return int64(d.Val)
		}
	}
	return int64(otherwise)
}

// number and integer give a literal's value; checks have seen that it is one.
func number(e influxql.Expr) float64 {
	switch e := e.(type) {
	case *influxql.IntegerLiteral:
		return float64(e.Val)
	case *influxql.NumberLiteral:
		return e.Val
	}
	return 0
}

func integer(e influxql.Expr) int {
	if n, ok := e.(*influxql.IntegerLiteral); ok {
		return int(n.Val)
	}
	return 0
}

// unsupportedType is InfluxDB's error for a function of values that it does not
// take. They come out of an iterator there.
func unsupportedType(f function.ID, t model.FieldType, iterator string) error {
	name := f.String()
	switch {
	case f == function.NonNegativeDerivative, f == function.NonNegativeDifference:
		name = strings.TrimPrefix(name, "non_negative_")
	case f == function.HoltWinters, f == function.HoltWintersWithFit:
		name = "elapsed"
	case !f.Aggregates():
		name = strings.ReplaceAll(name, "_", " ")
	}
	return invalidf("unsupported %s iterator type: *query.%s%sIterator", name, t, iterator)
}
