package query

import (
	"context"

	"github.com/varvedb/varve/model"
)

// Subscriptions is the part of the Catalog that keeps subscriptions.
type Subscriptions interface {
	// Subscriptions gives those of a database, by policy; none of a database
	// that there is not.
	Subscriptions(ctx context.Context, database string) ([]Subscription, error)
	// CreateSubscription adds one.
	CreateSubscription(ctx context.Context, database string, s Subscription) error
	// DropSubscription removes one, or gives model.ErrNotFound.
	DropSubscription(ctx context.Context, database, policy, name string) error
}

// Subscription is a copy of what is written to a policy, sent elsewhere.
type Subscription struct {
	Policy       string
	Name         string
	Mode         string // ALL or ANY
	Destinations []string
}

// showSubscriptions gives one series for each database that has any.
func (r *statementRun) showSubscriptions(ctx context.Context) error {
	dbs, err := r.executor.catalog.Databases(ctx)
	if err != nil {
		return err
	}
	return r.eachDatabase(dbs, func(db *Database) (*table, error) {
		all, err := r.executor.catalog.Subscriptions(ctx, db.Name)
		if err != nil || len(all) == 0 {
			return nil, err
		}
		t := newTable(db.Name, "retention_policy", model.String, "name", model.String, "mode", model.String)
		t.Columns = append(t.Columns, "destinations")
		for _, s := range all {
			t.text(0, s.Policy)
			t.text(1, s.Name)
			t.text(2, s.Mode)
			t.Lists = append(t.Lists, withoutCredentials(s.Destinations))
		}
		return t, nil
	})
}
