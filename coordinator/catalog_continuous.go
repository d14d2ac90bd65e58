package coordinator

import (
	"context"

	"github.com/varvedb/varve/query"
)

// ContinuousQueries implements query.ContinuousQueries.
func (c *Catalog) ContinuousQueries(_ context.Context, database string) ([]query.ContinuousQuery, error) {
	snapshot := c.meta.Snapshot()
	d := snapshot.Database(database)
	if d == nil {
		return nil, nil
	}
	var out []query.ContinuousQuery
	for _, q := range snapshot.ContinuousQueries(d.UID) {
		out = append(out, query.ContinuousQuery{Name: q.Name, Text: q.Text})
	}
	return out, nil
}

// CreateContinuousQuery implements query.ContinuousQueries.
func (c *Catalog) CreateContinuousQuery(ctx context.Context, database string, q query.ContinuousQuery) error {
	return c.meta.CreateContinuousQuery(ctx, database, q.Name, q.Text)
}

// DropContinuousQuery implements query.ContinuousQueries.
func (c *Catalog) DropContinuousQuery(ctx context.Context, database, name string) error {
	return c.meta.DropContinuousQuery(ctx, database, name)
}
