package query

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// Points asks for the points of a field as they are stored, series by series, in
// the request's database and policy. That is what Prometheus reads.
type Points struct {
	// Field is the name of the field. Points in which it is no float are left out.
	Field string
	// Measurements and Series choose the series: Measurements tests the name of the
	// measurement only, Series the tags as well. nil is all.
	Measurements, Series *model.Predicate
	Range                model.TimeRange
	// Text is what an operator sees among the running queries.
	Text string
}

// anyName matches every measurement.
var anyName = regexp.MustCompile("")

// Points gives the query for p. Its result is that of a SELECT of the field by
// all tags.
func (e *Executor) Points(req Request, p Points) (*Query, error) {
	q, err := e.Make(req, &influxql.SelectStatement{
		Fields:     influxql.Fields{{Expr: &influxql.VarRef{Val: p.Field}}},
		Sources:    influxql.Sources{&influxql.Measurement{Database: req.Database, RetentionPolicy: req.Policy, Regex: &influxql.RegexLiteral{Val: anyName}}},
		Condition:  within(p.Range),
		Dimensions: influxql.Dimensions{{Expr: &influxql.Wildcard{}}},
		IsRawQuery: true,
	})
	if err != nil {
		return nil, err
	}
	q.points, q.text = &p, p.Text
	return q, nil
}

// within gives the condition that a point is in a range.
func within(r model.TimeRange) influxql.Expr {
	bound := func(op influxql.Token, t int64) influxql.Expr {
		return &influxql.BinaryExpr{Op: op, LHS: &influxql.VarRef{Val: "time"}, RHS: &influxql.TimeLiteral{Val: time.Unix(0, t).UTC()}}
	}
	return &influxql.BinaryExpr{Op: influxql.AND, LHS: bound(influxql.GTE, r.Min), RHS: bound(influxql.LTE, r.Max)}
}

// readPoints runs the statement that Points made.
func (r *statementRun) readPoints(ctx context.Context, stmt *influxql.SelectStatement, p *Points) error {
	if err := r.normalize(ctx, stmt); err != nil {
		return err
	}
	from := stmt.Sources[0].(*influxql.Measurement)
	if err := r.checkPolicy(ctx, from.Database, from.RetentionPolicy); err != nil {
		return err
	}
	sel, err := r.compile(stmt)
	if err != nil {
		return err
	}
	schemas, err := r.executor.storage.Schema(ctx, r.read, Shards{Database: from.Database, Policy: from.RetentionPolicy, Range: sel.Reads}, p.Measurements)
	if err != nil {
		return err
	}
	bound, err := sel.Bind(withFloats(schemas, p.Field))
	if err != nil {
		return err
	}
	for _, s := range bound.Scans {
		for _, f := range s.Fragments {
			f.Where = model.AllOf(f.Where, p.Series)
		}
	}
	if err := r.begin(Statement{Partial: true}); err != nil {
		return err
	}
	return exec.Finish(ctx, bound, func(f *plan.Fragment) ([]exec.Stream, error) {
		return r.executor.storage.Scan(ctx, r.read, f)
	}, r.rows)
}

// withFloats gives the schemas that have a field of that name and type float,
// without the field's other types.
func withFloats(schemas []plan.Schema, field string) []plan.Schema {
	var out []plan.Schema
	for _, s := range schemas {
		i := slices.Index(s.Fields, model.Field{Name: field, Type: model.Float})
		if i < 0 {
			continue
		}
		s.Fields = s.Fields[i : i+1 : i+1]
		out = append(out, s)
	}
	return out
}
