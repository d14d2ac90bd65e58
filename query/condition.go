package query

import (
	"fmt"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// How a condition of SHOW refers to the measurement and to the tag keys that
// are listed.
const (
	nameRef   = "_name"
	tagKeyRef = "_tagKey"
	// fieldKeysRef stands for the keys of fields where the parser knows only
	// those of tags.
	fieldKeysRef = "_fieldKeys"
)

var errTagComparison = &model.Error{Kind: model.ErrInvalid, Text: "invalid tag comparison operator"}

// splitTime takes the terms on time out of a condition. Whatever operators join
// them, the range is that in which all of them hold, as in InfluxDB.
func splitTime(cond influxql.Expr, now time.Time) (influxql.Expr, model.TimeRange, error) {
	if cond == nil {
		return nil, model.AllTime, nil
	}
	rest, tr, err := influxql.ConditionExpr(balance(cond), &influxql.NowValuer{Now: now})
	if err != nil {
		return nil, model.TimeRange{}, invalid(err)
	}
	r := model.AllTime
	if !tr.Min.IsZero() {
		r.Min = max(r.Min, tr.MinTimeNano())
	}
	if !tr.Max.IsZero() {
		r.Max = min(r.Max, tr.MaxTimeNano())
	}
	return rest, r, nil
}

// invalid gives an error of the parser's package the kind of a bad request.
func invalid(err error) error {
	return &model.Error{Kind: model.ErrInvalid, Text: err.Error()}
}

// comparing says what a condition on series makes of a comparison that is not
// between a tag and a text, a pattern or another tag.
type comparing uint8

const (
	// refusing gives an error: InfluxDB takes it for true, and deletes more than
	// was asked for.
	refusing comparing = iota
	// lenient takes it for true, as InfluxDB's SHOW does.
	lenient
	// selecting takes it for false. Some statements InfluxDB runs as a SELECT over
	// names, beside which no field has a value.
	selecting
)

// seriesCondition turns conditions without time into predicates on series.
type seriesCondition struct {
	comparing comparing
	// fields, when not nil, gives the measurements in which a name is that of a
	// field: there it is not a tag.
	fields map[string][]string
	// present takes a comparison with a tag that a series lacks for false.
	present bool
}

// tagPredicate turns a condition on tags, without time, into a predicate. What
// it cannot express is an error.
func tagPredicate(e influxql.Expr) (*model.Predicate, error) {
	return (&seriesCondition{comparing: refusing}).predicate(e)
}

func (c *seriesCondition) predicate(e influxql.Expr) (*model.Predicate, error) {
	switch e := e.(type) {
	case nil:
		return nil, nil
	case *influxql.ParenExpr:
		return c.predicate(e.Expr)
	case *influxql.BooleanLiteral:
		return constant(e.Val), nil
	case *influxql.BinaryExpr:
		switch e.Op {
		case influxql.AND, influxql.OR:
			left, err := c.predicate(e.LHS)
			if err != nil {
				return nil, err
			}
			right, err := c.predicate(e.RHS)
			if err != nil {
				return nil, err
			}
			op := model.And
			if e.Op == influxql.OR {
				op = model.Or
			}
			return &model.Predicate{Op: op, Left: left, Right: right}, nil
		}
		return c.comparison(e)
	}
	return nil, invalid(fmt.Errorf("invalid condition expression: %s", e))
}

// constant gives a predicate that always holds, or never.
func constant(holds bool) *model.Predicate {
	if holds {
		return &model.Predicate{Op: model.Everything}
	}
	return &model.Predicate{Op: model.Nothing}
}

func (c *seriesCondition) comparison(e *influxql.BinaryExpr) (*model.Predicate, error) {
	switch e.Op {
	case influxql.EQ, influxql.NEQ, influxql.EQREGEX, influxql.NEQREGEX:
	default:
		return c.other(errTagComparison, false)
	}
	ref, ok := e.LHS.(*influxql.VarRef)
	side := e.RHS
	if !ok {
		ref, ok = e.RHS.(*influxql.VarRef)
		side = e.LHS
	}
	switch {
	case isArithmetic(e.LHS) || isArithmetic(e.RHS):
		return c.other(errTagComparison, false)
	case !ok:
		return c.other(invalid(fmt.Errorf("invalid condition expression: %s", e)), true)
	case c.comparing == selecting && ref.Type != influxql.Unknown && ref.Type != influxql.Tag:
		return constant(false), nil
	case c.comparing == selecting && ref.Val == tagKeyRef:
		return constant(true), nil // it says nothing of series
	}
	key := ref.Val
	if key == nameRef {
		key = model.MeasurementKey
	}
	negative := e.Op == influxql.NEQ || e.Op == influxql.NEQREGEX
	var p *model.Predicate
	switch v := side.(type) {
	case *influxql.StringLiteral:
		p = &model.Predicate{Op: model.Equal, Key: key, Value: v.Val}
		if negative {
			p.Op = model.NotEqual
		}
	case *influxql.RegexLiteral:
		p = model.MatchRegexp(key, v.Val, negative)
	case *influxql.VarRef:
		p = &model.Predicate{Op: model.SameTag, Key: key, Value: v.Val}
		if negative {
			p.Op = model.OtherTag
		}
	default:
		return c.other(invalid(fmt.Errorf("right side of '%s' must be a tag value string", e.Op)), true)
	}
	if c.present && key != model.MeasurementKey {
		p = model.AllOf(p, &model.Predicate{Op: model.NotEqual, Key: key})
	}
	return model.AllOf(p, except(c.fields[ref.Val])), nil
}

// other gives what c makes of a comparison that it cannot express: true only
// where InfluxDB takes it so.
func (c *seriesCondition) other(err error, taken bool) (*model.Predicate, error) {
	switch {
	case c.comparing == selecting:
		return constant(false), nil
	case c.comparing == lenient && taken:
		return constant(true), nil
	}
	return nil, err
}

// isArithmetic reports whether e is neither a comparison nor made of such.
func isArithmetic(e influxql.Expr) bool {
	b, ok := e.(*influxql.BinaryExpr)
	if !ok {
		return false
	}
	switch b.Op {
	case influxql.AND, influxql.OR, influxql.EQ, influxql.NEQ, influxql.EQREGEX, influxql.NEQREGEX,
		influxql.LT, influxql.LTE, influxql.GT, influxql.GTE:
		return false
	}
	return true
}

// except gives the predicate that the measurement is none of some, as low as
// can be; nil of none.
func except(names []string) *model.Predicate {
	switch len(names) {
	case 0:
		return nil
	case 1:
		return &model.Predicate{Op: model.NotEqual, Key: model.MeasurementKey, Value: names[0]}
	}
	half := len(names) / 2
	return &model.Predicate{Op: model.And, Left: except(names[:half]), Right: except(names[half:])}
}

// measurementPredicate gives the predicate that a measurement is one of the
// sources; nil when there are none, which means all.
func measurementPredicate(sources influxql.Sources) *model.Predicate {
	var each []*model.Predicate
	for _, s := range sources {
		if m, ok := s.(*influxql.Measurement); ok {
			each = append(each, onMeasurement(m))
		}
	}
	return anyOf(each)
}

// anyOf joins predicates by Or, as low as can be: a predicate that goes to
// another node may not be deep. Of none it gives nil.
func anyOf(ps []*model.Predicate) *model.Predicate {
	switch len(ps) {
	case 0:
		return nil
	case 1:
		return ps[0]
	}
	half := len(ps) / 2
	return &model.Predicate{Op: model.Or, Left: anyOf(ps[:half]), Right: anyOf(ps[half:])}
}

func onMeasurement(m *influxql.Measurement) *model.Predicate {
	if m.Regex != nil {
		return model.MatchRegexp(model.MeasurementKey, m.Regex.Val, false)
	}
	return model.IsMeasurement(m.Name)
}

// keyPredicate turns a WITH KEY clause into the predicate on tag keys that
// exec.ListRequest takes.
func keyPredicate(op influxql.Token, e influxql.Node) (*model.Predicate, error) {
	switch e := e.(type) {
	case nil:
		return nil, nil
	case *influxql.StringLiteral:
		switch op {
		case influxql.EQ:
			return &model.Predicate{Op: model.Equal, Value: e.Val}, nil
		case influxql.NEQ:
			return &model.Predicate{Op: model.NotEqual, Value: e.Val}, nil
		}
	case *influxql.RegexLiteral:
		switch op {
		case influxql.EQREGEX, influxql.NEQREGEX:
			return model.MatchRegexp("", e.Val, op == influxql.NEQREGEX), nil
		}
	case *influxql.ListLiteral:
		var each []*model.Predicate
		for _, v := range e.Vals {
			each = append(each, &model.Predicate{Op: model.Equal, Value: v})
		}
		return anyOf(each), nil
	}
	return nil, invalid(fmt.Errorf("invalid key expression: %s %s", op, e))
}

// keyTerms takes the terms on the listed tag keys out of a condition, by itself
// and so that they are asked for as a WITH KEY clause is. Where such a term stands
// beside another one, each is left alone, whatever operator joined them: that is
// how InfluxDB takes conditions apart.
func keyTerms(e influxql.Expr) (rest influxql.Expr, keys *model.Predicate, err error) {
	switch e := e.(type) {
	case *influxql.ParenExpr:
		return keyTerms(e.Expr)
	case *influxql.BinaryExpr:
		if e.Op == influxql.AND || e.Op == influxql.OR {
			left, leftKeys, err := keyTerms(e.LHS)
			if err != nil {
				return nil, nil, err
			}
			right, rightKeys, err := keyTerms(e.RHS)
			if err != nil {
				return nil, nil, err
			}
			keys := model.AllOf(leftKeys, rightKeys)
			if e.Op == influxql.OR && leftKeys != nil && rightKeys != nil {
				keys = &model.Predicate{Op: model.Or, Left: leftKeys, Right: rightKeys}
			}
			switch {
			case left == nil:
				return right, keys, nil
			case right == nil:
				return left, keys, nil
			}
			return &influxql.BinaryExpr{Op: e.Op, LHS: left, RHS: right}, keys, nil
		}
		if ref, ok := e.LHS.(*influxql.VarRef); ok && ref.Val == tagKeyRef {
			keys, err := keyPredicate(e.Op, e.RHS)
			return nil, keys, err
		}
	}
	return e, nil, nil
}
