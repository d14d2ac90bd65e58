package auth

import (
	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/meta"
)

// user is a meta.User as package query asks about him. His rights are those of now.
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
	return u.User.Admin || may(u.store.Snapshot(), u.User.Grants, database, p)
}

// may reports whether grants include a privilege on a database.
func may(s *meta.Snapshot, grants []meta.Grant, database string, p influxql.Privilege) bool {
	d := s.Database(database)
	if d == nil {
		return false
	}
	// The privileges of meta have the numbers of the parser's.
	want := meta.Privilege(p)
	return want != meta.NoPrivileges && meta.PrivilegeOn(grants, d.UID)&want == want
}
