package query

import (
	"context"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

func (c *fakeCatalog) ContinuousQueries(_ context.Context, database string) ([]ContinuousQuery, error) {
	return c.continuous[database], nil
}

func (c *fakeCatalog) CreateContinuousQuery(_ context.Context, database string, q ContinuousQuery) error {
	return c.call("create continuous query %s on %s: %s", q.Name, database, q.Text)
}

func (c *fakeCatalog) DropContinuousQuery(_ context.Context, database, name string) error {
	return c.call("drop continuous query %s on %s", name, database)
}

func (c *fakeCatalog) Subscriptions(_ context.Context, database string) ([]Subscription, error) {
	return c.subscriptions[database], nil
}

func (c *fakeCatalog) CreateSubscription(_ context.Context, database string, s Subscription) error {
	return c.call("create subscription %s on %s.%s: %s %s", s.Name, database, s.Policy, s.Mode, s.Destinations)
}

func (c *fakeCatalog) DropSubscription(_ context.Context, database, policy, name string) error {
	return c.call("drop subscription %s on %s.%s", name, database, policy)
}

func (c *fakeCatalog) Users(context.Context) ([]Account, error) { return c.users, nil }

func (c *fakeCatalog) User(_ context.Context, name string) (Account, error) {
	for _, u := range c.users {
		if u.Name == name {
			return u, nil
		}
	}
	return Account{}, &model.Error{Kind: model.ErrNotFound, Text: "user not found"}
}

func (c *fakeCatalog) CreateUser(_ context.Context, name, password string, admin bool) error {
	return c.call("create user %s %s admin %v", name, password, admin)
}

func (c *fakeCatalog) CreateFirstAdmin(_ context.Context, name, password string) error {
	return c.call("create first admin %s %s", name, password)
}

func (c *fakeCatalog) DropUser(_ context.Context, name string) error {
	return c.call("drop user %s", name)
}

func (c *fakeCatalog) SetPassword(_ context.Context, name, password string) error {
	return c.call("set password %s %s", name, password)
}

func (c *fakeCatalog) SetAdmin(_ context.Context, name string, admin bool) error {
	return c.call("set admin %s %v", name, admin)
}

func (c *fakeCatalog) Grant(_ context.Context, name, database string, p influxql.Privilege) error {
	return c.call("grant %s on %s to %s", p, database, name)
}

func (c *fakeCatalog) Revoke(_ context.Context, name, database string, p influxql.Privilege) error {
	return c.call("revoke %s on %s from %s", p, database, name)
}

func (c *fakeCatalog) ShardGroups(context.Context, string) ([]ShardGroup, error) {
	return c.groups, nil
}

func (c *fakeCatalog) DropShard(_ context.Context, id uint64) error {
	return c.call("drop shard %d", id)
}
