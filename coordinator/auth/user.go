package auth

import (
	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/meta"
)

// user is a user of the cluster.
type user struct {
	store *meta.Store
	*meta.User
}

// Name implements query.User.
func (u user) Name() string { return u.User.Name }

// Admin implements query.User.
func (u user) Admin() bool { return u.User.Admin }

// May implements query.User.
func (u user) May(database string, p influxql.Privilege) bool {
	return u.User.Admin || may(u.store, u.Grants, database, p)
}

// bearer is who has a token of the cluster.
type bearer struct {
	store *meta.Store
	*meta.Token
}

// Name implements query.User. No user of that name can sign in with a header, where
// a colon ends the name.
func (b bearer) Name() string { return "token:" + b.Token.Name }

// Admin implements query.User.
func (b bearer) Admin() bool { return b.Token.Admin }

// May implements query.User.
func (b bearer) May(database string, p influxql.Privilege) bool {
	return b.Token.Admin || may(b.store, b.Grants, database, p)
}

// Monitors reports whether he may see how the server is, without being an
// administrator.
func (b bearer) Monitors() bool { return b.Monitor }

// may reports whether grants include a privilege on a database that there is.
func may(store *meta.Store, grants []meta.Grant, database string, p influxql.Privilege) bool {
	d := store.Snapshot().Database(database)
	if d == nil || p == influxql.NoPrivileges {
		return false
	}
	want := meta.Privilege(p) // of the same numbers
	return meta.PrivilegeOn(grants, d.UID)&want == want
}
