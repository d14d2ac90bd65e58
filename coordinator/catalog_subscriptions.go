package coordinator

import (
	"context"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/query"
)

// Subscriptions implements query.Subscriptions.
func (c *Catalog) Subscriptions(_ context.Context, database string) ([]query.Subscription, error) {
	d := c.meta.Snapshot().Database(database)
	if d == nil {
		return nil, nil
	}
	var out []query.Subscription
	for _, p := range d.Policies {
		for _, s := range p.Subscriptions {
			out = append(out, query.Subscription{Policy: p.Name, Name: s.Name, Mode: string(s.Mode), Destinations: s.Destinations})
		}
	}
	return out, nil
}

// CreateSubscription implements query.Subscriptions.
func (c *Catalog) CreateSubscription(ctx context.Context, database string, s query.Subscription) error {
	return c.meta.CreateSubscription(ctx, database, s.Policy, meta.Subscription{
		Name: s.Name, Mode: meta.SubscriptionMode(s.Mode), Destinations: s.Destinations,
	})
}

// DropSubscription implements query.Subscriptions.
func (c *Catalog) DropSubscription(ctx context.Context, database, policy, name string) error {
	return c.meta.DropSubscription(ctx, database, policy, name)
}
