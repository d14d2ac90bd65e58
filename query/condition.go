package query

import (
	"fmt"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// nameRef is how a condition of SHOW refers to the measurement.
const nameRef = "_name"

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

// tagPredicate turns a condition on tags, without time, into a predicate.
// What it cannot express is an error: InfluxDB takes comparisons of other kinds
// for true here, which shows, or deletes, more than was asked for.
func tagPredicate(e influxql.Expr) (*model.Predicate, error) {
	switch e := e.(type) {
	case nil:
		return nil, nil
	case *influxql.ParenExpr:
		return tagPredicate(e.Expr)
	case *influxql.BooleanLiteral:
		if e.Val {
			return &model.Predicate{Op: model.Everything}, nil
		}
		return &model.Predicate{Op: model.Nothing}, nil
	case *influxql.BinaryExpr:
		switch e.Op {
		case influxql.AND, influxql.OR:
			left, err := tagPredicate(e.LHS)
			if err != nil {
				return nil, err
			}
			right, err := tagPredicate(e.RHS)
			if err != nil {
				return nil, err
			}
			op := model.And
			if e.Op == influxql.OR {
				op = model.Or
			}
			return &model.Predicate{Op: op, Left: left, Right: right}, nil
		}
		return tagComparison(e)
	}
	return nil, invalid(fmt.Errorf("invalid condition expression: %s", e))
}

func tagComparison(e *influxql.BinaryExpr) (*model.Predicate, error) {
	ref, ok := e.LHS.(*influxql.VarRef)
	side := e.RHS
	if !ok {
		if ref, ok = e.RHS.(*influxql.VarRef); !ok {
			return nil, invalid(fmt.Errorf("invalid condition expression: %s", e))
		}
		side = e.LHS
	}
	key := ref.Val
	if key == nameRef {
		key = model.MeasurementKey
	}
	switch e.Op {
	case influxql.EQ, influxql.NEQ:
		v, ok := side.(*influxql.StringLiteral)
		if !ok {
			if _, ok := side.(*influxql.VarRef); ok {
				return nil, notSupported("comparing two tags")
			}
			return nil, invalid(fmt.Errorf("right side of '%s' must be a tag value string", e.Op))
		}
		op := model.Equal
		if e.Op == influxql.NEQ {
			op = model.NotEqual
		}
		return &model.Predicate{Op: op, Key: key, Value: v.Val}, nil
	case influxql.EQREGEX, influxql.NEQREGEX:
		v, ok := side.(*influxql.RegexLiteral)
		if !ok {
			return nil, invalid(fmt.Errorf("right side of '%s' must be a tag regexp", e.Op))
		}
		return model.MatchRegexp(key, v.Val, e.Op == influxql.NEQREGEX), nil
	}
	return nil, errTagComparison
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
