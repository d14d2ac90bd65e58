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
	schemas = slices.DeleteFunc(slices.Clone(schemas), func(x Schema) bool { return mentions(s.Measurements, x) == 0 })
	for i := range schemas {
		schemas[i].sort()
	}
	if _, _, err := s.checkColumns(schemas); err != nil {
		return nil, err
	}
	stmt, err := s.stmt.RewriteFields(newTypeMapper(schemas))
	if err != nil {
		return nil, invalid(err)
	}
	types := influxql.TypeValuerEval{TypeMapper: callTypes{}}
	for _, f := range stmt.Fields {
		if _, err := types.EvalType(f.Expr); err != nil {
			return nil, invalid(err)
		}
	}
	b := &binder{sel: s, stmt: stmt, schemas: schemas, slots: map[string]int{}, nested: new(int)}
	return b.bind()
}

// binder makes a Bound.
type binder struct {
	sel     *Select
	stmt    *influxql.SelectStatement
	schemas []Schema
	out     *Bound
	scans   []*scanBinder
	refs    []influxql.VarRef // fields and tags outside of calls
	slots   map[string]int    // by text of the expression

	around *groupKeys // of a subquery, what the statement around it wants
	carry  []string   // the tags that its rows have in columns for that
	nested *int       // how often subqueries are run
}

func (b *binder) bind() (*Bound, error) {
	b.out = &Bound{
		Columns: b.stmt.ColumnNames(), Window: b.sel.window, Range: b.sel.Range, Descending: !b.stmt.TimeAscending(),
		Limit: b.stmt.Limit, Offset: b.stmt.Offset, GroupLimit: b.stmt.SLimit, GroupOffset: b.stmt.SOffset,
		MaxBytes: b.sel.opt.MaxBytes, MaxBuckets: b.sel.opt.MaxBuckets, Inner: b.around != nil,
		FillBack: b.sel.fillBack > 0,
	}
	b.fill()
	b.groupBy()
	if err := b.columns(); err != nil {
		return nil, err
	}
	for _, s := range b.scans {
		if err := s.bind(); err != nil {
			return nil, err
		}
		b.out.Scans = append(b.out.Scans, s.out)
	}
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
	if b.around != nil {
		b.out.GroupBy, b.carry = b.groupNested(b.out.GroupBy)
	}
}

// columns makes the expressions of the result and what they need.
func (b *binder) columns() error {
	fields := b.fields()
	calls := b.calls()
	b.findRefs(fields, calls)
	for _, call := range calls {
		if err := b.call(call); err != nil {
			return err
		}
	}
	b.out.AuxFrom = len(b.out.Slots)
	b.auxSlots(len(calls) == 0)
	make := builder{ref: b.slot, call: func(call *influxql.Call) *Expr {
		if i, ok := b.slots[call.String()]; ok {
			return &Expr{Kind: Input, Type: b.out.Slots[i], Column: i}
		}
		return null
	}}
	for _, f := range fields {
		b.out.Exprs = append(b.out.Exprs, make.expr(f))
	}
	b.carryTags()
	b.out.stmt, b.out.refs = b.stmt, b.refs
	b.keepTags(calls)
	b.out.PointTime = len(calls) == 1 && influxql.IsSelector(calls[0]) && (b.out.Window.IsZero() || b.ordersBySelection(calls[0]))
	return nil
}

// fields gives what the columns of the result are: the fields of the statement,
// and behind a top() or bottom() the tags and fields that it names.
func (b *binder) fields() []influxql.Expr {
	var out []influxql.Expr
	for _, f := range b.stmt.Fields {
		out = append(out, f.Expr)
		if call, ok := f.Expr.(*influxql.Call); ok && b.stmt.Target == nil && (call.Name == "top" || call.Name == "bottom") {
			out = append(out, call.Args[1:len(call.Args)-1]...)
		}
	}
	return out
}

// calls gives the distinct calls of the statement that are not arguments of
// others.
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

// callVisitor visits the calls that are not arguments of others.
type callVisitor func(*influxql.Call)

func (v callVisitor) Visit(n influxql.Node) influxql.Visitor {
	if call, ok := n.(*influxql.Call); ok && function.LookupScalar(call.Name) == nil {
		v(call)
		return nil
	}
	return v
}

// findRefs finds the fields and tags outside of calls, and those that top() and
// bottom() name. They are sorted by name: rows of equal time are ordered by them.
func (b *binder) findRefs(fields []influxql.Expr, calls []*influxql.Call) {
	for _, call := range calls {
		if call.Name == "top" || call.Name == "bottom" {
			fields = append(fields, call.Args[1:]...)
		}
	}
	seen := map[influxql.VarRef]bool{}
	for _, f := range fields {
		influxql.Walk(refVisitor(func(ref *influxql.VarRef) {
			if !seen[*ref] && (ref.Type == influxql.Tag || fieldType(ref.Type) != 0) {
				seen[*ref] = true
				b.refs = append(b.refs, *ref)
			}
		}), f)
	}
	sort.Sort(influxql.VarRefs(b.refs))
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

// auxSlots adds slots for the fields and tags outside of calls. alone is set
// where the statement has no calls.
func (b *binder) auxSlots(alone bool) {
	refs := slices.Concat(b.refs, b.carried())
	for _, ref := range refs {
		t := fieldType(ref.Type)
		if ref.Type == influxql.Tag {
			t = model.String
		}
		b.slots[ref.String()] = len(b.out.Slots)
		b.out.Slots = append(b.out.Slots, t)
	}
	if alone {
		s := b.scan(b.sel.Range)
		s.addColumns(refs)
		if b.out.Limit > 0 {
			s.template.RowLimit = upTo(b.out.Offset, b.out.Limit)
		}
	}
}

// slot gives the slot of a field or tag that is selected.
func (b *binder) slot(ref *influxql.VarRef) *Expr {
	i, ok := b.slots[ref.String()]
	if !ok {
		return null
	}
	return &Expr{Kind: Input, Type: b.out.Slots[i], Column: i}
}
