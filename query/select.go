package query

import (
	"context"
	"fmt"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// selectRows runs SELECT.
func (r *statementRun) selectRows(ctx context.Context, stmt *influxql.SelectStatement) error {
	if err := checkSystemSources(stmt); err != nil {
		return err
	}
	var unqualified []*influxql.Measurement
	if r.req.Extensions {
		unqualified = r.unqualified(stmt)
	}
	if err := r.normalize(ctx, stmt); err != nil {
		return err
	}
	if stmt.Target != nil {
		return r.selectInto(ctx, stmt)
	}
	found := false
	chunks := chunker{size: r.req.ChunkSize, emit: func(rows *exec.Rows) error {
		found = true
		return r.rows(rows)
	}}
	err := r.run(ctx, stmt, func(sel *plan.Select, _ *plan.Bound) error {
		return r.begin(Statement{Partial: true, Location: sel.Location})
	}, chunks.add)
	if err == nil && !found {
		r.hint(ctx, unqualified)
	}
	return err
}

// run plans a SELECT and gives its rows to emit. begin is called with the plan
// before anything is read.
func (r *statementRun) run(ctx context.Context, stmt *influxql.SelectStatement, begin func(*plan.Select, *plan.Bound) error, emit func(*exec.Rows) error) error {
	sel, bound, err := r.bind(ctx, stmt)
	if err != nil {
		return err
	}
	if err := begin(sel, bound); err != nil {
		return err
	}
	return exec.Finish(ctx, bound, func(f *plan.Fragment) ([]exec.Stream, error) {
		return r.executor.storage.Scan(ctx, r.read, f)
	}, emit)
}

// compile checks a SELECT and gives what can be known of it without what is stored.
func (r *statementRun) compile(stmt *influxql.SelectStatement) (*plan.Select, error) {
	influxql.WalkFunc(stmt, func(n influxql.Node) {
		if s, ok := n.(*influxql.SelectStatement); ok {
			s.Condition = balance(s.Condition)
		}
	})
	cfg := &r.executor.cfg
	return plan.Compile(stmt, plan.Options{
		Now:        r.req.Now,
		MaxBuckets: cfg.MaxBuckets,
		MaxSeries:  cfg.MaxSeries,
		MaxPoints:  cfg.MaxPoints,
		MaxBytes:   cfg.MaxBytes,
	})
}

// bind plans a SELECT.
func (r *statementRun) bind(ctx context.Context, stmt *influxql.SelectStatement) (*plan.Select, *plan.Bound, error) {
	sel, err := r.compile(stmt)
	if err != nil {
		return nil, nil, err
	}
	schemas, err := r.schemas(ctx, sel)
	if err != nil {
		return nil, nil, err
	}
	bound, err := sel.Bind(schemas)
	return sel, bound, err
}

// schemas asks for what is stored of a SELECT's measurements. Measurements in
// one policy are asked for together.
func (r *statementRun) schemas(ctx context.Context, sel *plan.Select) ([]plan.Schema, error) {
	type place struct{ database, policy string }
	var (
		order []place
		each  = make(map[place][]*model.Predicate)
		seen  = make(map[plan.Measurement]bool)
	)
	for _, m := range sel.Measurements {
		if seen[m] {
			continue
		}
		seen[m] = true
		p := place{m.Database, m.Policy}
		if each[p] == nil {
			order = append(order, p)
		}
		is := model.IsMeasurement(m.Name)
		if m.Regex != nil {
			is = model.MatchRegexp(model.MeasurementKey, m.Regex, false)
		}
		each[p] = append(each[p], is)
	}
	var all []plan.Schema
	for _, p := range order {
		if err := r.checkPolicy(ctx, p.database, p.policy); err != nil {
			return nil, err
		}
		schemas, err := r.executor.storage.Schema(ctx, r.read, Shards{Database: p.database, Policy: p.policy, Range: sel.Reads}, anyOf(each[p]))
		if err != nil {
			return nil, err
		}
		all = append(all, schemas...)
	}
	return all, nil
}

// checkSystemSources refuses the names under which InfluxDB keeps its indexes.
func checkSystemSources(stmt *influxql.SelectStatement) error {
	instead := map[string]string{
		"_fieldKeys":    "SHOW FIELD KEYS",
		"_measurements": "SHOW MEASUREMENTS",
		"_series":       "SHOW SERIES",
		"_tagKeys":      "SHOW TAG KEYS",
		"_tags":         "SHOW TAG VALUES",
	}
	for _, s := range stmt.Sources {
		m, ok := s.(*influxql.Measurement)
		if !ok || instead[m.Name] == "" {
			continue
		}
		return invalid(fmt.Errorf("unable to use system source '%s': use %s instead", m.Name, instead[m.Name]))
	}
	return nil
}
