package coordinator

import (
	"cmp"
	"context"
	"slices"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/query"
)

// Users implements query.Users.
func (c *Catalog) Users(context.Context) ([]query.Account, error) {
	snapshot := c.meta.Snapshot()
	var out []query.Account
	for _, u := range snapshot.Users() {
		out = append(out, describeUser(snapshot, u))
	}
	return out, nil
}

// User implements query.Users.
func (c *Catalog) User(ctx context.Context, name string) (query.Account, error) {
	u, err := c.meta.User(ctx, name)
	if err != nil {
		return query.Account{}, err
	}
	return describeUser(c.meta.Snapshot(), u), nil
}

// describeUser leaves out grants on databases that were dropped.
func describeUser(s *meta.Snapshot, u *meta.User) query.Account {
	out := query.Account{Name: u.Name, Admin: u.Admin}
	for _, g := range u.Grants {
		if d := s.DatabaseByUID(g.Database); d != nil {
			out.Grants = append(out.Grants, query.Grant{Database: d.Name, Privilege: influxql.Privilege(g.Privilege)})
		}
	}
	slices.SortFunc(out.Grants, func(a, b query.Grant) int { return cmp.Compare(a.Database, b.Database) })
	return out
}

// CreateUser implements query.Users.
func (c *Catalog) CreateUser(ctx context.Context, name, password string, admin bool) error {
	return c.meta.CreateUser(ctx, name, password, admin)
}

// CreateFirstAdmin implements query.Users.
func (c *Catalog) CreateFirstAdmin(ctx context.Context, name, password string) error {
	return c.meta.CreateFirstAdmin(ctx, name, password)
}

// DropUser implements query.Users.
func (c *Catalog) DropUser(ctx context.Context, name string) error { return c.meta.DropUser(ctx, name) }

// SetPassword implements query.Users.
func (c *Catalog) SetPassword(ctx context.Context, name, password string) error {
	return c.meta.SetPassword(ctx, name, password)
}

// SetAdmin implements query.Users.
func (c *Catalog) SetAdmin(ctx context.Context, name string, admin bool) error {
	return c.meta.SetAdmin(ctx, name, admin)
}

// Grant implements query.Users. The privileges of meta have the numbers of the
// parser's.
func (c *Catalog) Grant(ctx context.Context, name, database string, p influxql.Privilege) error {
	return c.meta.Grant(ctx, name, database, meta.Privilege(p))
}

// Revoke implements query.Users.
func (c *Catalog) Revoke(ctx context.Context, name, database string, p influxql.Privilege) error {
	return c.meta.Revoke(ctx, name, database, meta.Privilege(p))
}
