package plan

import (
	"slices"
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// maxNested bounds how often subqueries are run. Every scan of a statement runs
// its subqueries for itself, as every call does in InfluxDB, so the runs multiply
// with the depth. A wide subquery counts for more.
const maxNested = 1000

// inherit gives a subquery what it has from the statement around it: the order
// and, unless it has windows of its own, the windows, though on the clock of its
// own zone.
func (s *Select) inherit(outer *Select) error {
	if len(s.stmt.SortFields) > 0 && s.stmt.TimeAscending() != outer.stmt.TimeAscending() {
		return invalidf("subqueries must be ordered in the same direction as the query itself")
	}
	s.stmt.SortFields = outer.stmt.SortFields
	switch {
	case s.grouped:
		s.dropNullFill()
	case outer.grouped:
		s.grouped, s.inherited = true, true
		s.window = outer.window
		s.window.Zone = zoneOf(s.stmt.Location)
	}
	return nil
}

// dropNullFill leaves out the windows without points: the statement around a
// subquery would skip them anyway.
func (s *Select) dropNullFill() {
	if s.stmt.Fill == influxql.NullFill {
		s.stmt.Fill = influxql.NoFill
	}
}

// groupKeys is how a statement around a subquery wants its rows: grouped by some
// tags, with others at hand, and in order of time or in any.
type groupKeys struct {
	group, carry []string
	ordered      bool
}

// bindNested binds a subquery. stmt is its statement with wildcards resolved and
// r the times that the statement around it asks for.
func (s *Select) bindNested(stmt *influxql.SelectStatement, schemas []Schema, keys groupKeys, r model.TimeRange, nested *int) (*Bound, error) {
	if *nested += 1 + len(stmt.Fields)/100; *nested > maxNested {
		return nil, tooWide("runs of subqueries", *nested, maxNested)
	}
	in := *s
	in.Range = s.Range.Intersect(r)
	if !s.window.IsZero() && !s.inherited && in.Range.Max == model.MaxTime {
		in.Range.Max = s.opt.Now.UnixNano() // windows without an end would never end
	}
	if stmt.Fill != influxql.NoFill {
		if err := in.checkBuckets(in.Range); err != nil {
			return nil, err
		}
	}
	b := &binder{sel: &in, stmt: stmt, schemas: schemas, slots: map[string]int{}, around: &keys, nested: nested}
	return b.bind()
}

// groupNested decides how the rows of a subquery are grouped. They have the tags
// of the statement around it and its own. Where they must come in order of time,
// raw rows and what is made of them point by point are only grouped by those of
// the statement around it and carry the others in columns: each group would have
// to be kept otherwise until all are there.
func (b *binder) groupNested(own []string) (group, carry []string) {
	var more []string
	for _, key := range slices.Concat(b.around.carry, own) {
		if !slices.Contains(b.around.group, key) && !slices.Contains(more, key) {
			more = append(more, key)
		}
	}
	slices.Sort(more)
	stmt := b.stmt
	limited := stmt.Limit > 0 || stmt.Offset > 0 || stmt.SLimit > 0 || stmt.SOffset > 0
	if b.around.ordered && !limited && stmt.Fill != influxql.PreviousFill && b.pointByPoint() {
		return b.around.group, more
	}
	return slices.Concat(b.around.group, more), nil
}

// pointByPoint reports whether every row is made of one that is stored and those
// before it.
func (b *binder) pointByPoint() bool {
	calls := b.calls()
	if len(calls) != 1 {
		return len(calls) == 0
	}
	_, nested := calls[0].Args[0].(*influxql.Call)
	f, _ := function.Lookup(calls[0].Name)
	return !nested && f.PerPoint()
}

// ordersBySelection reports whether the rows of several groups are put in order
// by the times of what the call, a selector, selects in each window.
func (b *binder) ordersBySelection(call *influxql.Call) bool {
	f, _ := function.Lookup(call.Name)
	return b.around != nil && b.around.ordered && len(b.out.GroupBy) > len(b.around.group) &&
		f.Selects() && b.out.Fill == FillNone && !b.out.Joined()
}

// carried gives the tags that rows carry and the statement does not select.
func (b *binder) carried() []influxql.VarRef {
	var refs []influxql.VarRef
	for _, key := range b.carry {
		if ref := (influxql.VarRef{Val: key, Type: influxql.Tag}); !slices.Contains(b.refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// carryTags adds the tags that rows carry to the columns of a subquery.
func (b *binder) carryTags() {
	b.out.Carried = len(b.carry)
	for _, key := range b.carry {
		b.out.Columns = append(b.out.Columns, key)
		b.out.Exprs = append(b.out.Exprs, b.slot(&influxql.VarRef{Val: key, Type: influxql.Tag}))
	}
}

// nestedFragments adds the fragments that read subqueries: one for each subquery
// and measurement in its result.
func (s *scanBinder) nestedFragments() error {
	at := 0
	for _, source := range s.stmt.Sources {
		sub, ok := source.(*influxql.SubQuery)
		if !ok {
			continue
		}
		keys := groupKeys{group: s.template.GroupBy, carry: s.carry, ordered: s.template.Raw()}
		inner, err := s.sel.nested[at].bindNested(sub.Statement, s.schemas, keys, s.template.Range, s.nested)
		if err != nil {
			return err
		}
		at++
		f := s.overSubquery(newInnerRows(sub.Statement, inner))
		if f == nil {
			continue
		}
		for _, name := range inner.measurements() {
			one := *f
			one.Measurement, one.Inner = name, inner.only(name)
			s.out.Fragments = append(s.out.Fragments, &one)
		}
	}
	return nil
}

// overSubquery gives the template for the rows of a subquery, nil where those
// can give no rows.
func (s *scanBinder) overSubquery(rows *innerRows) *Fragment {
	f := *s.template
	f.Fields, f.Where, f.Filter = rows.fields, nil, nil
	f.Inputs = make([]Source, len(s.refs))
	for i, ref := range s.refs {
		f.Inputs[i] = rows.source(&ref, s.template.Inputs[i].Type)
	}
	known := func(input int) bool { return f.Inputs[input].known() }
	switch {
	case !f.Raw():
		if !slices.ContainsFunc(f.Aggregates, func(a Aggregate) bool { return known(a.Input) }) {
			return nil
		}
	case len(f.Columns) == 0 || !s.binder.out.Raw() && !known(f.Columns[len(s.binder.refs)]):
		return nil // nothing that is known is selected, or the call's argument is not
	}
	if s.stmt.Condition == nil {
		return &f
	}
	where := builder{intDiv: true, byRow: true, ref: func(ref *influxql.VarRef) *Expr { return rows.operand(&f, ref) }}
	filter := where.condition(s.stmt.Condition)
	switch {
	case filter.IsFalse():
		return nil
	case !filter.IsTrue():
		f.Filter = filter
	}
	return &f
}

// known reports whether an input of a subquery's rows can have values.
func (s *Source) known() bool { return s.IsTag || len(s.Fields) > 0 }

// innerRows is what the rows of a subquery have.
type innerRows struct {
	fields []model.Field  // its columns
	named  map[string]int // the first column of a name, not counting carried tags
	tags   map[string]int // the column of a carried tag, -1 for one of the group
}

func newInnerRows(stmt *influxql.SelectStatement, b *Bound) *innerRows {
	r := &innerRows{named: map[string]int{}, tags: map[string]int{}}
	name := func(name string) {
		if _, ok := r.named[name]; !ok {
			r.named[name] = len(r.fields)
		}
		r.add(name, b)
	}
	for _, field := range stmt.Fields {
		name(field.Name())
		// top() and bottom() give their tags in columns of their own.
		if call, ok := field.Expr.(*influxql.Call); ok && (call.Name == "top" || call.Name == "bottom") {
			for _, arg := range call.Args[1:] {
				if ref, ok := arg.(*influxql.VarRef); ok {
					name(ref.Val)
				}
			}
		}
	}
	for _, key := range b.GroupBy {
		r.tags[key] = -1
	}
	for _, key := range b.Columns[1+len(r.fields):] {
		r.tags[key] = len(r.fields)
		r.add(key, b)
	}
	return r
}

func (r *innerRows) add(name string, b *Bound) {
	r.fields = append(r.fields, model.Field{Name: name, Type: b.Exprs[len(r.fields)].Type})
}

// source gives a column or a tag as an input of type t, which has no values
// where there is no such one.
func (r *innerRows) source(ref *influxql.VarRef, t model.FieldType) Source {
	s := Source{Type: t}
	if at, ok := r.named[ref.Val]; ok {
		if converts(r.fields[at].Type, t) {
			s.Fields = []int{at}
		}
		return s
	}
	if at, ok := r.tags[ref.Val]; ok && t == model.String {
		s.IsTag, s.Tag = true, ref.Val
		if at >= 0 {
			s.Fields = []int{at}
		}
	}
	return s
}

// operand gives a column or a tag in a condition. What is neither is a tag that
// no series has.
func (r *innerRows) operand(f *Fragment, ref *influxql.VarRef) *Expr {
	at, ok := r.named[ref.Val]
	t := model.String
	if ok {
		t = r.fields[at].Type
		if want := fieldType(ref.Type); want != 0 && converts(t, want) {
			t = want
		}
	}
	s := r.source(ref, t)
	switch {
	case !s.known() && !ok:
		return &Expr{Kind: Literal, Type: model.String}
	case !s.known():
		return null
	}
	f.Inputs = append(f.Inputs, s)
	return &Expr{Kind: Input, Type: t, Column: len(f.Inputs) - 1}
}

// measurements gives the names of the measurements in the result, sorted.
func (b *Bound) measurements() []string {
	var names []string
	for _, f := range b.Fragments() {
		names = append(names, f.Measurement)
	}
	slices.SortFunc(names, strings.Compare)
	return slices.Compact(names)
}

// only gives b for one of its measurements.
func (b *Bound) only(measurement string) *Bound {
	one := *b
	one.Scans = slices.Clone(b.Scans)
	for i := range one.Scans {
		one.Scans[i].Fragments = slices.DeleteFunc(slices.Clone(b.Scans[i].Fragments), func(f *Fragment) bool {
			return f.Measurement != measurement
		})
	}
	return &one
}
