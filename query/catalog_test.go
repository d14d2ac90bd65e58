package query

import "context"

func (c *fakeCatalog) ContinuousQueries(context.Context, string) ([]ContinuousQuery, error) {
	return c.continuous, nil
}

func (c *fakeCatalog) CreateContinuousQuery(_ context.Context, database string, q ContinuousQuery) error {
	return c.call("create continuous query %s on %s: %s", q.Name, database, q.Text)
}

func (c *fakeCatalog) DropContinuousQuery(_ context.Context, database, name string) error {
	return c.call("drop continuous query %s on %s", name, database)
}

func (c *fakeCatalog) Subscriptions(context.Context, string) ([]Subscription, error) {
	return c.subscriptions, nil
}

func (c *fakeCatalog) CreateSubscription(_ context.Context, database string, s Subscription) error {
	return c.call("create subscription %s on %s.%s: %s %s", s.Name, database, s.Policy, s.Mode, s.Destinations)
}

func (c *fakeCatalog) DropSubscription(_ context.Context, database, policy, name string) error {
	return c.call("drop subscription %s on %s.%s", name, database, policy)
}
