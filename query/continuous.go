package query

import (
	"context"
	"fmt"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// ContinuousQueries is the part of the Catalog that keeps continuous queries.
type ContinuousQueries interface {
	// ContinuousQueries gives those of a database in the order in which they
	// were created; none of a database that there is not.
	ContinuousQueries(ctx context.Context, database string) ([]ContinuousQuery, error)
	// CreateContinuousQuery adds one. The same text again is no error.
	CreateContinuousQuery(ctx context.Context, database string, q ContinuousQuery) error
	// DropContinuousQuery removes one; none is no error.
	DropContinuousQuery(ctx context.Context, database, name string) error
}

// ContinuousQuery is a query that the cluster runs by itself.
type ContinuousQuery struct {
	Name string
	Text string // the statement, with database and policy in all its sources
}

func (r *statementRun) showContinuousQueries(ctx context.Context) error {
	dbs, err := r.executor.catalog.Databases(ctx)
	if err != nil {
		return err
	}
	return r.eachDatabase(dbs, func(db *Database) (*table, error) {
		all, err := r.executor.catalog.ContinuousQueries(ctx, db.Name)
		if err != nil {
			return nil, err
		}
		t := newTable(db.Name, "name", model.String, "query", model.String)
		for _, q := range all {
			t.text(0, q.Name)
			t.text(1, q.Text)
		}
		return t, nil
	})
}

// createContinuousQuery stores the statement as it prints with database and
// policy in every measurement. These are the request's where it names none, as
// in InfluxDB, and only without a database there the one the query is made on.
func (r *statementRun) createContinuousQuery(ctx context.Context, stmt *influxql.CreateContinuousQueryStatement) error {
	if r.req.Database == "" {
		req := *r.req
		req.Database = stmt.Database
		r.req = &req
	}
	if err := r.normalize(ctx, stmt); err != nil {
		return err
	}
	if err := r.checkPolicies(ctx, stmt.Source); err != nil {
		return err
	}
	asWritten(stmt)
	return r.executor.catalog.CreateContinuousQuery(ctx, stmt.Database, ContinuousQuery{Name: stmt.Name, Text: stmt.String()})
}

// checkPolicies fails when a measurement is of a policy that there is not.
func (r *statementRun) checkPolicies(ctx context.Context, node influxql.Node) error {
	var err error
	influxql.WalkFunc(node, func(n influxql.Node) {
		m, ok := n.(*influxql.Measurement)
		if !ok || err != nil {
			return
		}
		if err = r.checkPolicy(ctx, m.Database, m.RetentionPolicy); isNotFound(err) {
			err = &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("retention policy not found: %s.%s", m.Database, m.RetentionPolicy)}
		}
	})
	return err
}
