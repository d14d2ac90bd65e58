package query

import (
	"context"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// Users is the part of the Catalog that keeps users and what they may do.
// Unless a user is made, one that there is not is model.ErrNotFound.
type Users interface {
	// Users gives all users in the order in which they were created.
	Users(ctx context.Context) ([]Account, error)
	// User gives one user.
	User(ctx context.Context, name string) (Account, error)
	// CreateUser makes a user. One that exists with the same password and right
	// is no error.
	CreateUser(ctx context.Context, name, password string, admin bool) error
	// CreateFirstAdmin makes the first administrator. If there is one, it fails
	// with model.ErrForbidden: of several calls at a time, one succeeds.
	CreateFirstAdmin(ctx context.Context, name, password string) error
	// DropUser removes a user.
	DropUser(ctx context.Context, name string) error
	// SetPassword gives a user another password.
	SetPassword(ctx context.Context, name, password string) error
	// SetAdmin says whether a user may do everything.
	SetAdmin(ctx context.Context, name string, admin bool) error
	// Grant gives a user a privilege on a database, in place of the one before.
	Grant(ctx context.Context, name, database string, p influxql.Privilege) error
	// Revoke takes a privilege on a database from a user.
	Revoke(ctx context.Context, name, database string, p influxql.Privilege) error
}

// Account is a user as the Catalog keeps him.
type Account struct {
	Name   string
	Admin  bool
	Grants []Grant // sorted by database
}

// Grant is what a user may do with a database; one that was revoked stays, as
// NO PRIVILEGES.
type Grant struct {
	Database  string
	Privilege influxql.Privilege
}

func (r *statementRun) showUsers(ctx context.Context) error {
	all, err := r.executor.catalog.Users(ctx)
	if err != nil {
		return err
	}
	t := newTable("", "user", model.String, "admin", model.Boolean)
	for _, u := range all {
		t.text(0, u.Name)
		t.flag(1, u.Admin)
	}
	return r.table(t)
}

func (r *statementRun) showGrants(ctx context.Context, stmt *influxql.ShowGrantsForUserStatement) error {
	u, err := r.executor.catalog.User(ctx, stmt.Name)
	if err != nil {
		return err
	}
	t := newTable("", "database", model.String, "privilege", model.String)
	for _, g := range u.Grants {
		t.text(0, g.Database)
		t.text(1, g.Privilege.String())
	}
	return r.table(t)
}

// changeUsers gives what a statement about users does; nil for other statements.
func (r *statementRun) changeUsers(stmt influxql.Statement) func(context.Context) error {
	users := r.executor.catalog
	switch stmt := stmt.(type) {
	case *influxql.CreateUserStatement:
		if _, first := r.req.User.(Nobody); first {
			return func(ctx context.Context) error { return r.found(ctx, stmt) }
		}
		return func(ctx context.Context) error { return users.CreateUser(ctx, stmt.Name, stmt.Password, stmt.Admin) }
	case *influxql.DropUserStatement:
		return func(ctx context.Context) error { return users.DropUser(ctx, stmt.Name) }
	case *influxql.SetPasswordUserStatement:
		return func(ctx context.Context) error { return users.SetPassword(ctx, stmt.Name, stmt.Password) }
	case *influxql.GrantStatement:
		return func(ctx context.Context) error { return users.Grant(ctx, stmt.User, stmt.On, stmt.Privilege) }
	case *influxql.RevokeStatement:
		return func(ctx context.Context) error { return users.Revoke(ctx, stmt.User, stmt.On, stmt.Privilege) }
	case *influxql.GrantAdminStatement:
		return func(ctx context.Context) error { return users.SetAdmin(ctx, stmt.User, true) }
	case *influxql.RevokeAdminStatement:
		return func(ctx context.Context) error { return users.SetAdmin(ctx, stmt.User, false) }
	}
	return nil
}

// found makes the first administrator, as whom the request goes on.
func (r *statementRun) found(ctx context.Context, stmt *influxql.CreateUserStatement) error {
	if err := r.executor.catalog.CreateFirstAdmin(ctx, stmt.Name, stmt.Password); err != nil {
		return err
	}
	r.req.User = founder(stmt.Name)
	return nil
}
