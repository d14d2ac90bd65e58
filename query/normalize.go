package query

import (
	"context"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

var errDatabaseRequired = &model.Error{Kind: model.ErrInvalid, Text: "database name required"}

// database gives a statement's database: the one it names, or the request's.
func (r *statementRun) database(ctx context.Context, named string) (*Database, error) {
	if named == "" {
		named = r.req.Database
	}
	if named == "" {
		return nil, errDatabaseRequired
	}
	return r.executor.catalog.Database(ctx, named)
}

// normalize writes the database and the policy into every measurement of a
// statement, and fails where there are none.
func (r *statementRun) normalize(ctx context.Context, node influxql.Node) error {
	var err error
	influxql.WalkFunc(node, func(n influxql.Node) {
		m, ok := n.(*influxql.Measurement)
		if !ok || err != nil {
			return
		}
		if !m.IsTarget && m.Name == "" && m.SystemIterator == "" && m.Regex == nil {
			err = &model.Error{Kind: model.ErrInvalid, Text: "invalid measurement"}
			return
		}
		var db *Database
		if db, err = r.database(ctx, m.Database); err != nil {
			return
		}
		m.Database = db.Name
		if m.RetentionPolicy == "" {
			m.RetentionPolicy, err = r.policy(db)
		}
	})
	return err
}

// policy gives the policy of measurements that name none.
func (r *statementRun) policy(db *Database) (string, error) {
	switch {
	case r.req.Policy != "":
		return r.req.Policy, nil
	case db.DefaultPolicy != "":
		return db.DefaultPolicy, nil
	}
	return "", &model.Error{Kind: model.ErrNotFound, Text: "default retention policy not set for: " + db.Name}
}

// checkPolicy fails when a database has no policy of that name.
func (r *statementRun) checkPolicy(ctx context.Context, database, policy string) error {
	_, err := r.executor.catalog.Policy(ctx, database, policy)
	return err
}

// allShards gives the shards of all policies of a database in a range.
func allShards(db *Database, r model.TimeRange) []Shards {
	var shards []Shards
	for _, p := range db.Policies {
		shards = append(shards, Shards{Database: db.Name, Policy: p.Name, Range: r})
	}
	return shards
}
