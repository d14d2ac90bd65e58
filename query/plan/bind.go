package plan

import (
	"math"
	"slices"
	"sort"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// Bind resolves wildcards and types by what is stored. A schema that comes
// twice counts once, and one that the statement does not name not at all.
func (s *Select) Bind(schemas []Schema) (*Bound, error) {
	schemas = slices.DeleteFunc(slices.Clone(schemas), func(x Schema) bool { return s.mentions(x) == 0 })
	if err := s.checkColumns(schemas); err != nil {
		return nil, err
	}
	stmt, err := s.stmt.RewriteFields(typeMapper{schemas})
	if err != nil {
		return nil, invalid(err)
	}
	types := influxql.TypeValuerEval{TypeMapper: callTypes{}}
	for _, f := range stmt.Fields {
		if _, err := types.EvalType(f.Expr); err != nil {
			return nil, invalid(err)
		}
	}
	b := &binder{sel: s, stmt: stmt, template: &Fragment{
		Range: s.Range, Window: s.window, Descending: !stmt.TimeAscending(),
		MaxSeries: s.opt.MaxSeries, MaxPoints: s.opt.MaxPoints, MaxBytes: s.opt.MaxBytes,
	}}
	return b.bind(schemas)
}

// binder makes a Bound. The inputs of all fragments are the same; what fields
// they are made of differs.
type binder struct {
	sel      *Select
	stmt     *influxql.SelectStatement
	template *Fragment
	refs     []influxql.VarRef // of template.Inputs
	byRef    map[influxql.VarRef]int
	out      *Bound
	slots    map[string]int // by text of the expression
}

func (b *binder) bind(schemas []Schema) (*Bound, error) {
	b.byRef = map[influxql.VarRef]int{}
	b.slots = map[string]int{}
	b.out = &Bound{
		Scans:   []Scan{{Range: b.sel.Range}},
		Columns: b.stmt.ColumnNames(), Window: b.sel.window, Range: b.sel.Range, Descending: b.template.Descending,
		Limit: b.stmt.Limit, Offset: b.stmt.Offset, GroupLimit: b.stmt.SLimit, GroupOffset: b.stmt.SOffset,
		MaxBytes: b.sel.opt.MaxBytes, MaxBuckets: b.sel.opt.MaxBuckets,
	}
	b.fill()
	b.groupBy()
	some, err := b.columns()
	if err != nil {
		return nil, err
	}
	if b.stmt.Condition != nil {
		where := builder{ref: b.input, intDiv: true}
		filter := where.condition(b.stmt.Condition)
		exact := false
		b.template.Where, exact = seriesPredicate(filter)
		if !exact {
			b.template.Filter = filter
		}
	}
	if b.out.Raw() && b.out.Limit > 0 {
		b.template.RowLimit = upTo(b.out.Offset, b.out.Limit)
	}
	if b.out.GroupLimit > 0 {
		b.template.GroupLimit = upTo(b.out.GroupOffset, b.out.GroupLimit)
	}
	if !some || b.sel.Range.Empty() || b.template.Where != nil && b.template.Where.Op == model.Nothing {
		return b.out, nil
	}
	b.fragments(schemas)
	return b.out, nil
}

// upTo gives how many are needed from the first on. A sum that is too large
// would turn negative, which is no limit.
func upTo(offset, limit int) int { return offset + min(limit, math.MaxInt-offset) }

func (b *binder) fill() {
	switch b.stmt.Fill {
	case influxql.NoFill:
		b.out.Fill = FillNone
	case influxql.NumberFill:
		b.out.Fill = FillNumber
		b.out.FillValue, _ = toFloat(b.stmt.FillValue)
		if v, ok := b.stmt.FillValue.(int); ok {
			b.out.FillValue = float64(v)
		}
	case influxql.PreviousFill:
		b.out.Fill = FillPrevious
	case influxql.LinearFill:
		b.out.Fill = FillLinear
	}
}

func (b *binder) groupBy() {
	for _, d := range b.stmt.Dimensions {
		if ref, ok := d.Expr.(*influxql.VarRef); ok {
			b.out.GroupBy = append(b.out.GroupBy, ref.Val)
		}
	}
	slices.Sort(b.out.GroupBy)
	b.out.GroupBy = slices.Compact(b.out.GroupBy)
	b.template.GroupBy = b.out.GroupBy
}

// columns makes the expressions of the result and what they need. some is
// false when no row can come of it.
func (b *binder) columns() (some bool, err error) {
	calls := b.calls()
	for _, call := range calls {
		if err := b.aggregate(call); err != nil {
			return false, err
		}
	}
	b.out.AuxFrom = len(b.out.Slots)
	b.refSlots()
	make := builder{ref: b.slot, call: func(call *influxql.Call) *Expr {
		if i, ok := b.slots[call.String()]; ok {
			return &Expr{Kind: Input, Type: b.out.Slots[i], Column: i}
		}
		return null
	}}
	for _, f := range b.stmt.Fields {
		b.out.Exprs = append(b.out.Exprs, make.expr(f.Expr))
	}
	if aggregates := b.out.Scans[0].Aggregates; len(calls) == 1 && len(aggregates) == 1 && b.out.Window.IsZero() {
		f := aggregates[0].Function
		b.out.PointTime = f.Selects() || f == function.Percentile
	}
	if len(calls) > 0 {
		return !b.out.Raw(), nil
	}
	for _, i := range b.template.Columns {
		if !b.template.Inputs[i].IsTag {
			return true, nil
		}
	}
	return false, nil
}

// calls gives the distinct aggregates of the statement.
func (b *binder) calls() []*influxql.Call {
	var calls []*influxql.Call
	seen := map[string]bool{}
	influxql.Walk(callVisitor(func(call *influxql.Call) {
		if key := call.String(); !seen[key] {
			seen[key] = true
			calls = append(calls, call)
		}
	}), b.stmt.Fields)
	return calls
}

// callVisitor visits the aggregates that are not arguments of others.
type callVisitor func(*influxql.Call)

func (v callVisitor) Visit(n influxql.Node) influxql.Visitor {
	if call, ok := n.(*influxql.Call); ok && function.LookupScalar(call.Name) == nil {
		v(call)
		return nil
	}
	return v
}

// aggregate adds a slot for a call, unless its argument is unknown or a tag:
// then it never has a value.
func (b *binder) aggregate(call *influxql.Call) error {
	f, _ := function.Lookup(call.Name)
	arg := call.Args[0]
	if inner, ok := arg.(*influxql.Call); ok && f == function.Count && inner.Name == "distinct" {
		f, arg = function.CountDistinct, inner.Args[0]
	}
	ref, ok := arg.(*influxql.VarRef)
	if !ok {
		return invalidf("expected field argument in %s()", call.Name)
	}
	t := fieldType(ref.Type)
	if t == 0 {
		return nil
	}
	in := b.input(ref)
	if !f.Takes(t) {
		return invalidf("unsupported %s iterator type: *query.%sInterruptIterator", call.Name, t)
	}
	bound := BoundAggregate{Function: f, Type: t}
	if f == function.Percentile {
		switch n := call.Args[1].(type) {
		case *influxql.IntegerLiteral:
			bound.Argument = float64(n.Val)
		case *influxql.NumberLiteral:
			bound.Argument = n.Val
		}
	}
	b.slots[call.String()] = len(b.out.Slots)
	b.out.Slots = append(b.out.Slots, f.Result(t))
	scan := &b.out.Scans[0]
	b.out.Calls = append(b.out.Calls, BoundCall{Column: len(scan.Aggregates), Range: scan.Range})
	scan.Aggregates = append(scan.Aggregates, bound)
	b.template.Aggregates = append(b.template.Aggregates, Aggregate{Function: f, Input: in.Column})
	return nil
}

// refSlots adds slots for the fields and tags that stand outside of calls. They
// are sorted by name: rows of equal time are ordered by them.
func (b *binder) refSlots() {
	seen := map[influxql.VarRef]bool{}
	var refs influxql.VarRefs
	for _, f := range b.stmt.Fields {
		influxql.Walk(refVisitor(func(ref *influxql.VarRef) {
			if !seen[*ref] {
				seen[*ref] = true
				refs = append(refs, *ref)
			}
		}), f.Expr)
	}
	sort.Sort(refs)
	for _, ref := range refs {
		in := b.input(&ref)
		if in.Kind != Input {
			continue
		}
		b.slots[ref.String()] = len(b.out.Slots)
		b.out.Slots = append(b.out.Slots, in.Type)
		b.template.Columns = append(b.template.Columns, in.Column)
	}
}

// refVisitor visits the names that are not arguments of aggregates.
type refVisitor func(*influxql.VarRef)

func (v refVisitor) Visit(n influxql.Node) influxql.Visitor {
	switch n := n.(type) {
	case *influxql.VarRef:
		v(n)
	case *influxql.Call:
		if function.LookupScalar(n.Name) == nil {
			return nil
		}
	}
	return v
}

// slot gives the slot of a field or tag that is selected.
func (b *binder) slot(ref *influxql.VarRef) *Expr {
	i, ok := b.slots[ref.String()]
	if !ok {
		return null
	}
	return &Expr{Kind: Input, Type: b.out.Slots[i], Column: i}
}

// input gives the input of a field or tag, adding it.
func (b *binder) input(ref *influxql.VarRef) *Expr {
	source := Source{Type: fieldType(ref.Type)}
	switch {
	case ref.Type == influxql.Tag:
		source = Source{Type: model.String, IsTag: true, Tag: ref.Val}
	case source.Type == 0:
		return null
	}
	i, ok := b.byRef[*ref]
	if !ok {
		i = len(b.template.Inputs)
		b.byRef[*ref] = i
		b.refs = append(b.refs, *ref)
		b.template.Inputs = append(b.template.Inputs, source)
	}
	return &Expr{Kind: Input, Type: source.Type, Column: i}
}

// fragments makes a fragment for each schema that can give rows.
func (b *binder) fragments(schemas []Schema) {
	scan := &b.out.Scans[0]
	type name struct{ database, policy, measurement string }
	seen := map[name]bool{}
	for _, schema := range schemas {
		n := name{schema.Database, schema.Policy, schema.Name}
		if seen[n] {
			continue
		}
		seen[n] = true
		if f := b.fragment(schema); f != nil {
			for range b.sel.mentions(schema) {
				scan.Fragments = append(scan.Fragments, f)
			}
		}
	}
	slices.SortStableFunc(scan.Fragments, func(x, y *Fragment) int {
		switch {
		case x.Measurement < y.Measurement:
			return -1
		case x.Measurement > y.Measurement:
			return 1
		}
		return 0
	})
}

// mentions gives how often the statement names a measurement: like in InfluxDB,
// FROM m, m counts every point twice. Databases and policies that are left
// open in the statement are those of the schema.
func (s *Select) mentions(schema Schema) int {
	n := 0
	for _, m := range s.Measurements {
		switch {
		case m.Database != "" && m.Database != schema.Database, m.Policy != "" && m.Policy != schema.Policy:
		case m.Regex != nil && m.Regex.MatchString(schema.Name), m.Regex == nil && m.Name == schema.Name:
			n++
		}
	}
	return n
}

func (b *binder) fragment(schema Schema) *Fragment {
	f := *b.template
	f.Database, f.Policy, f.Measurement = schema.Database, schema.Policy, schema.Name
	f.Inputs = slices.Clone(b.template.Inputs)
	f.Fields = nil
	for i, ref := range b.refs {
		if f.Inputs[i].IsTag {
			continue
		}
		f.Inputs[i].Fields = nil
		for _, field := range schema.Fields {
			if field.Name != ref.Val || !converts(field.Type, f.Inputs[i].Type) {
				continue
			}
			at := slices.Index(f.Fields, field)
			if at < 0 {
				at = len(f.Fields)
				f.Fields = append(f.Fields, field)
			}
			f.Inputs[i].Fields = append(f.Inputs[i].Fields, at)
		}
	}
	drives := func(input int) bool { return len(f.Inputs[input].Fields) > 0 }
	if f.Raw() {
		if !slices.ContainsFunc(f.Columns, drives) {
			return nil
		}
	} else if !slices.ContainsFunc(f.Aggregates, func(a Aggregate) bool { return drives(a.Input) }) {
		return nil
	}
	return &f
}
