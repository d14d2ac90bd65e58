package query

import "context"

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
