package plan

import (
	"slices"
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// scanBinder makes a Scan. The inputs of all its fragments are the same; what
// fields they are made of differs.
type scanBinder struct {
	*binder
	out      Scan
	template *Fragment
	refs     []influxql.VarRef // of template.Inputs
	byRef    map[influxql.VarRef]int
	calls    map[scanCall]int // index of the aggregate
}

// scanCall is an aggregate of an input.
type scanCall struct {
	BoundAggregate
	input int
}

// scan adds a scan of a range.
func (b *binder) scan(r model.TimeRange) *scanBinder {
	s := &scanBinder{binder: b, out: Scan{Range: r}, byRef: map[influxql.VarRef]int{}, calls: map[scanCall]int{}, template: &Fragment{
		Range: r, Window: b.sel.window, GroupBy: b.out.GroupBy, Descending: b.out.Descending,
		MaxSeries: b.sel.opt.MaxSeries, MaxPoints: b.sel.opt.MaxPoints, MaxBytes: b.sel.opt.MaxBytes,
	}}
	if b.out.GroupLimit > 0 {
		s.template.GroupLimit = upTo(b.out.GroupOffset, b.out.GroupLimit)
	}
	b.scans = append(b.scans, s)
	return s
}

// addColumns makes the scan give fields and tags.
func (s *scanBinder) addColumns(refs []influxql.VarRef) {
	for i := range refs {
		s.template.Columns = append(s.template.Columns, s.input(&refs[i]).Column)
	}
}

// input gives the input of a field or tag, adding it.
func (s *scanBinder) input(ref *influxql.VarRef) *Expr {
	source := Source{Type: fieldType(ref.Type)}
	switch {
	case ref.Type == influxql.Tag:
		source = Source{Type: model.String, IsTag: true, Tag: ref.Val}
	case source.Type == 0:
		return null
	}
	i, ok := s.byRef[*ref]
	if !ok {
		i = len(s.template.Inputs)
		s.byRef[*ref] = i
		s.refs = append(s.refs, *ref)
		s.template.Inputs = append(s.template.Inputs, source)
	}
	return &Expr{Kind: Input, Type: source.Type, Column: i}
}

// bind adds the condition, and the fragments unless no row can come of them.
func (s *scanBinder) bind() error {
	if s.stmt.Condition != nil {
		where := builder{ref: s.input, intDiv: true}
		filter := where.condition(s.stmt.Condition)
		exact := false
		s.template.Where, exact = seriesPredicate(filter)
		if !exact {
			s.template.Filter = filter
		}
	}
	if s.out.Range.Empty() {
		return nil
	}
	if s.firstWindows() {
		s.template.RowLimit = upTo(s.binder.out.Offset, s.binder.out.Limit)
	}
	s.template.Timed = s.binder.out.PointTime && len(s.out.Aggregates) == 1
	if s.template.Where == nil || s.template.Where.Op != model.Nothing {
		s.fragments()
	}
	if err := s.nestedFragments(); err != nil {
		return err
	}
	slices.SortStableFunc(s.out.Fragments, func(x, y *Fragment) int { return strings.Compare(x.Measurement, y.Measurement) })
	return nil
}

// firstWindows reports whether the windows with points that come first are all
// that is needed, as many as the result may have rows. Where a second call has
// no points among these it would look as if it had none at all, and on a line
// between points lie windows whose second point comes after the last row.
func (s *scanBinder) firstWindows() bool {
	b := s.binder
	return b.out.Limit > 0 && b.out.Window.Every > 0 && b.out.Window.Even() && b.out.Fill != FillLinear &&
		len(b.out.Calls) == 1 && len(b.out.Calls[0].Stages) == 0 &&
		len(s.out.Aggregates) == 1 && !s.out.Aggregates[0].Function.Collects() && s.out.Range == b.sel.Range
}

// fragments makes a fragment for each schema that can give rows.
func (s *scanBinder) fragments() {
	type name struct{ database, policy, measurement string }
	seen := map[name]bool{}
	for _, schema := range s.schemas {
		n := name{schema.Database, schema.Policy, schema.Name}
		if seen[n] {
			continue
		}
		seen[n] = true
		if f := s.fragment(schema); f != nil {
			for range mentions(s.sel.direct, schema) {
				s.out.Fragments = append(s.out.Fragments, f)
			}
		}
	}
}

// mentions gives how often a statement names a measurement: like in InfluxDB,
// FROM m, m counts every point twice. Databases and policies that are left
// open in the statement are those of the schema.
func mentions(measurements []Measurement, schema Schema) int {
	n := 0
	for _, m := range measurements {
		switch {
		case m.Database != "" && m.Database != schema.Database, m.Policy != "" && m.Policy != schema.Policy:
		case m.Regex != nil && m.Regex.MatchString(schema.Name), m.Regex == nil && m.Name == schema.Name:
			n++
		}
	}
	return n
}

// fragment gives the template for a schema, nil where that can give no rows.
func (s *scanBinder) fragment(schema Schema) *Fragment {
	f := *s.template
	f.Database, f.Policy, f.Measurement, f.Located = schema.Database, schema.Policy, schema.Name, schema.Located
	f.Inputs = slices.Clone(s.template.Inputs)
	f.Fields = nil
	places := make(map[model.Field]int, len(s.refs))
	for i, ref := range s.refs {
		if f.Inputs[i].IsTag {
			continue
		}
		f.Inputs[i].Fields = nil
		for _, field := range schema.named(ref.Val) {
			if !converts(field.Type, f.Inputs[i].Type) {
				continue
			}
			at, ok := places[field]
			if !ok {
				at = len(f.Fields)
				places[field] = at
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
