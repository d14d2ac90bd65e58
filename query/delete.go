package query

import (
	"context"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

var errDeleteByField = &model.Error{
	Kind: model.ErrInvalid,
	Text: "fields not supported in WHERE clause during deletion",
}

// fieldsWait is how long a delete waits to be told which fields there are:
// changes that cannot be made now fail within 5 s.
const fieldsWait = 4 * time.Second

var errFieldsUnknown = &model.Error{
	Kind: model.ErrUnavailable,
	Text: "delete failed: no replica can say now which fields there are",
}

// deleteSeries runs DELETE: the points of the sources, in all policies or in
// the one that a source names.
func (r *statementRun) deleteSeries(ctx context.Context, stmt *influxql.DeleteSeriesStatement) error {
	db, err := r.deleteFrom(ctx)
	if err != nil {
		return err
	}
	cond, times, err := splitTime(stmt.Condition, r.req.Now)
	if err != nil {
		return err
	}
	policy := ""
	for i, s := range stmt.Sources {
		m, ok := s.(*influxql.Measurement)
		switch {
		case !ok:
		case i > 0 && m.RetentionPolicy != policy:
			return &model.Error{
				Kind: model.ErrInvalid,
				Text: "mixed retention policies not supported, wanted \"" + policy + "\" got \"" + m.RetentionPolicy + "\"",
			}
		default:
			policy = m.RetentionPolicy
		}
	}
	if policy != "" {
		if err := r.checkPolicy(ctx, db.Name, policy); err != nil {
			return err
		}
		db = &Database{Name: db.Name, Policies: []Policy{{Name: policy}}}
	}
	return r.removeWhere(ctx, db, stmt.Sources, cond, times)
}

// dropSeries runs DROP SERIES: all points of the series.
func (r *statementRun) dropSeries(ctx context.Context, stmt *influxql.DropSeriesStatement) error {
	db, err := r.deleteFrom(ctx)
	if err != nil {
		return err
	}
	if influxql.HasTimeExpr(stmt.Condition) {
		return &model.Error{Kind: model.ErrInvalid, Text: "DROP SERIES doesn't support time in WHERE clause"}
	}
	return r.removeWhere(ctx, db, stmt.Sources, stmt.Condition, model.AllTime)
}

// deleteFrom gives the request's database; these statements cannot name one.
func (r *statementRun) deleteFrom(ctx context.Context) (*Database, error) {
	if r.req.Database == "" {
		return nil, &model.Error{Kind: model.ErrNotFound, Text: "database not found: "}
	}
	return r.executor.catalog.Database(ctx, r.req.Database)
}

// remove deletes what where covers from all policies of the request's database.
func (r *statementRun) remove(ctx context.Context, where *model.Predicate, times model.TimeRange) error {
	db, err := r.deleteFrom(ctx)
	if err != nil {
		return err
	}
	return r.executor.storage.Delete(ctx, allShards(db, times), &model.Delete{Where: where, Range: times})
}

func (r *statementRun) removeWhere(ctx context.Context, db *Database, sources influxql.Sources, cond influxql.Expr, times model.TimeRange) error {
	if times.Empty() {
		return nil
	}
	shards := allShards(db, times)
	from := measurementPredicate(sources)
	if err := r.refuseFields(ctx, shards, from, cond); err != nil {
		return err
	}
	where, err := tagPredicate(cond)
	if err != nil {
		return err
	}
	return r.executor.storage.Delete(ctx, shards, &model.Delete{Where: model.AllOf(from, where), Range: times})
}

// refuseFields fails when a condition names a field. As a tag it would be
// missing everywhere, and "status != 'ok'" would delete every point.
func (r *statementRun) refuseFields(ctx context.Context, shards []Shards, from *model.Predicate, cond influxql.Expr) error {
	names := make(map[string]bool)
	bad := false
	influxql.WalkFunc(cond, func(n influxql.Node) {
		switch n := n.(type) {
		case *influxql.VarRef:
			switch n.Type {
			case influxql.Tag:
			case influxql.Unknown:
				names[n.Val] = true
			default:
				bad = true
			}
		case *influxql.IntegerLiteral, *influxql.UnsignedLiteral, *influxql.NumberLiteral:
			bad = true
		case *influxql.BinaryExpr:
			bad = bad || isArithmetic(n)
		}
	})
	if bad {
		return errDeleteByField
	}
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fieldsWait, errFieldsUnknown)
	defer cancel()
	for _, s := range shards {
		schemas, err := r.executor.storage.Schema(ctx, &Read{}, s, from)
		if err != nil {
			return err
		}
		for _, m := range schemas {
			for _, f := range m.Fields {
				if names[f.Name] {
					return errDeleteByField
				}
			}
		}
	}
	return nil
}
