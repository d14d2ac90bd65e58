package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

func (r *statementRun) showMeasurements(ctx context.Context, stmt *influxql.ShowMeasurementsStatement) error {
	names := measurementNames{run: r, shards: model.AllTime}
	cond := stmt.Condition
	if influxql.HasTimeExpr(cond) {
		if !r.req.Extensions {
			return invalid(errors.New("SHOW MEASUREMENTS doesn't support time in WHERE clause"))
		}
		var err error
		if cond, names.shards, err = splitTime(cond, r.req.Now); err != nil {
			return err
		}
		names.within = &names.shards
	}
	if stmt.Source != nil {
		names.from = measurementPredicate(influxql.Sources{stmt.Source})
	}
	if stmt.WildcardDatabase || stmt.WildcardRetentionPolicy || stmt.RetentionPolicy != "" {
		return r.showMeasurementsOf(ctx, stmt, names, cond)
	}
	db, err := r.database(ctx, stmt.Database)
	if isNotFound(err) {
		return r.begin(Statement{}) // InfluxDB shows none
	}
	if err != nil {
		return err
	}
	list, err := names.where(ctx, allShards(db, names.shards), cond, end(stmt.Offset, stmt.Limit))
	if err != nil {
		return err
	}
	list = cut(list, stmt.Offset, stmt.Limit)
	return emit(r, "measurements", []string{"name"}, list, 0, func(name *string, row [][]byte) {
		row[0] = append(row[0], *name...)
	})
}

// showMeasurementsOf shows the measurements of one policy, of those of a database
// or of all, as InfluxDB 1.12 does.
func (r *statementRun) showMeasurementsOf(ctx context.Context, stmt *influxql.ShowMeasurementsStatement, names measurementNames, cond influxql.Expr) error {
	var dbs []*Database
	switch {
	case stmt.WildcardDatabase && stmt.RetentionPolicy != "":
		return invalid(errors.New("query 'SHOW MEASUREMENTS ON *.rp' not supported. use 'ON *.*' or specify a database"))
	case stmt.WildcardDatabase && !stmt.WildcardRetentionPolicy:
		return invalid(errors.New("query 'SHOW MEASUREMENTS ON *' not supported. use 'ON *.*' or specify a database"))
	case stmt.WildcardDatabase:
		var err error
		if dbs, err = r.executor.catalog.Databases(ctx); err != nil {
			return err
		}
	default:
		db, err := r.database(ctx, stmt.Database)
		if err != nil && !isNotFound(err) {
			return err
		}
		if err == nil {
			dbs = []*Database{db}
		}
	}
	type place struct{ name, database, policy string }
	var all []place
	for _, db := range dbs {
		if !r.req.may(db.Name, influxql.ReadPrivilege) {
			continue
		}
		for _, p := range db.Policies {
			if stmt.RetentionPolicy != "" && p.Name != stmt.RetentionPolicy {
				continue
			}
			list, err := names.where(ctx, []Shards{{Database: db.Name, Policy: p.Name, Range: names.shards}}, cond, end(stmt.Offset, stmt.Limit))
			if err != nil {
				return err
			}
			for _, name := range list {
				all = append(all, place{name, db.Name, p.Name})
			}
		}
	}
	all = cut(all, stmt.Offset, stmt.Limit)
	return emit(r, "measurements", []string{"name", "database", "retention policy"}, all, 0, func(p *place, row [][]byte) {
		row[0], row[1], row[2] = append(row[0], p.name...), append(row[1], p.database...), append(row[2], p.policy...)
	})
}

// measurementNames finds measurements by a condition. In InfluxDB it is not one
// on series but an algebra of sets of measurements: tag = 'v' is those in which a
// series has that value, tag != 'v' those that have the tag but no series with
// the value, and AND and OR are intersection and union.
type measurementNames struct {
	run    *statementRun
	from   *model.Predicate // restricts the measurements; nil is all
	shards model.TimeRange
	within *model.TimeRange // see exec.ListRequest
}

// where gives the names, sorted; the first ones up to a limit, 0 for all, if
// not more.
func (n *measurementNames) where(ctx context.Context, shards []Shards, cond influxql.Expr, limit int) ([]string, error) {
	if cond == nil {
		return n.list(ctx, shards, nil, limit)
	}
	set, err := measurementSetOf(cond)
	if err != nil {
		return nil, err
	}
	return n.evaluate(ctx, shards, set, map[string][]string{})
}

// list gives the measurements with a series for which p holds.
func (n *measurementNames) list(ctx context.Context, shards []Shards, p *model.Predicate, limit int) ([]string, error) {
	list, err := n.run.executor.storage.List(ctx, n.run.read, shards, &exec.ListRequest{
		Kind: exec.ListMeasurements, Where: model.AllOf(n.from, p), Within: n.within, Limit: limit,
	})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list.Entries))
	for i := range list.Entries {
		names[i] = list.Entries[i].Measurement
	}
	return names, nil
}

// measurementSet is a condition on measurements, or a comparison in it: those of
// has without those of not, where that is set. nil is the empty set.
type measurementSet struct {
	op          influxql.Token // AND or OR of left and right; else a comparison
	left, right *measurementSet
	has, not    *model.Predicate
	text        string // of the comparison
}

// measurementSetOf checks a condition; errors are InfluxDB's.
func measurementSetOf(e influxql.Expr) (*measurementSet, error) {
	switch e := e.(type) {
	case *influxql.ParenExpr:
		return measurementSetOf(e.Expr)
	case *influxql.BinaryExpr:
		switch e.Op {
		case influxql.AND, influxql.OR:
			left, err := measurementSetOf(e.LHS)
			if err != nil {
				return nil, err
			}
			right, err := measurementSetOf(e.RHS)
			if err != nil {
				return nil, err
			}
			return &measurementSet{op: e.Op, left: left, right: right}, nil
		case influxql.EQ, influxql.NEQ, influxql.EQREGEX, influxql.NEQREGEX:
			return measurementComparison(e)
		}
		return nil, errTagComparison
	}
	return nil, invalid(fmt.Errorf("invalid condition expression: %s", e))
}

func measurementComparison(e *influxql.BinaryExpr) (*measurementSet, error) {
	ref, ok := e.LHS.(*influxql.VarRef)
	if !ok {
		return nil, invalid(fmt.Errorf("left side of '%s' must be a tag key", e.Op))
	}
	key := ref.Val
	if key == nameRef {
		key = model.MeasurementKey
	}
	var is *model.Predicate
	switch v := e.RHS.(type) {
	case *influxql.StringLiteral:
		is = &model.Predicate{Op: model.Equal, Key: key, Value: v.Val}
	case *influxql.RegexLiteral:
		is = model.MatchRegexp(key, v.Val, false)
	default:
		return nil, invalid(fmt.Errorf("right side of '%s' must be a tag value string", e.Op))
	}
	set := &measurementSet{op: e.Op, text: e.String()}
	there := &model.Predicate{Op: model.NotEqual, Key: key}
	negative := e.Op == influxql.NEQ || e.Op == influxql.NEQREGEX
	switch {
	case influxql.IsSystemName(ref.Val) && ref.Val != nameRef:
		return nil, nil
	case key == model.MeasurementKey && negative:
		set.has, set.not = &model.Predicate{Op: model.Everything}, is
	case key == model.MeasurementKey:
		set.has = is
	case negative:
		set.has, set.not = there, model.AllOf(there, is)
	default:
		set.has = model.AllOf(there, is)
	}
	return set, nil
}

// evaluate gives the names of a set. known has those of comparisons.
func (n *measurementNames) evaluate(ctx context.Context, shards []Shards, set *measurementSet, known map[string][]string) ([]string, error) {
	switch {
	case set == nil:
		return nil, nil
	case set.op == influxql.AND || set.op == influxql.OR:
		left, err := n.evaluate(ctx, shards, set.left, known)
		if err != nil || set.op == influxql.AND && len(left) == 0 {
			return nil, err
		}
		right, err := n.evaluate(ctx, shards, set.right, known)
		if err != nil {
			return nil, err
		}
		if set.op == influxql.AND {
			return filter(left, right, true), nil
		}
		all := slices.Concat(left, right)
		slices.Sort(all)
		return slices.Compact(all), nil
	}
	if names, ok := known[set.text]; ok {
		return names, nil
	}
	names, err := n.list(ctx, shards, set.has, 0)
	if err != nil {
		return nil, err
	}
	if set.not != nil {
		not, err := n.list(ctx, shards, set.not, 0)
		if err != nil {
			return nil, err
		}
		names = filter(names, not, false)
	}
	known[set.text] = names
	return names, nil
}

// filter gives the names that are among others, which are sorted, or are not.
func filter(names, others []string, among bool) []string {
	var out []string
	for _, name := range names {
		if _, ok := slices.BinarySearchFunc(others, name, strings.Compare); ok == among {
			out = append(out, name)
		}
	}
	return out
}
