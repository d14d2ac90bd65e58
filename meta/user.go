package meta

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/varvedb/varve/model"
)

// User is somebody who may do certain things. It is immutable.
type User struct {
	UID    uint64
	Name   string
	Admin  bool
	Grants []Grant // sorted by database

	// Limits bounds the series of the databases that the user writes to, besides
	// what bounds them for everyone: 0 is no further bound.
	Limits model.SeriesLimits
	// Quota is what the user may take of each node.
	Quota model.Quota

	hash string // of the password, see hashing; never printed
}

// user is what a snapshot keeps, with the revision of its key.
type user struct {
	User
	modified int64
}

// Privilege gives what u may do with a database besides what an administrator
// may.
func (u *User) Privilege(database uint64) Privilege { return PrivilegeOn(u.Grants, database) }

// Users gives all users, in the order in which they were created.
func (s *Snapshot) Users() []*User {
	out := make([]*User, len(s.users))
	for i, u := range s.users {
		out[i] = &u.User
	}
	slices.SortFunc(out, func(a, b *User) int { return cmp.Compare(a.UID, b.UID) })
	return out
}

// User gives a user, or nil. A nil is no proof that there is none: see
// Store.User.
func (s *Snapshot) User(name string) *User {
	if u := s.user(name); u != nil {
		return &u.User
	}
	return nil
}

func (s *Snapshot) user(name string) *user {
	i, ok := slices.BinarySearchFunc(s.users, name, compareUser)
	if !ok {
		return nil
	}
	return s.users[i]
}

// HasAdmin reports whether any user is an administrator.
func (s *Snapshot) HasAdmin() bool {
	return slices.ContainsFunc(s.users, func(u *user) bool { return u.Admin })
}

// User gives a user. That there is none (model.ErrNotFound) is said only after a
// Refresh.
func (s *Store) User(ctx context.Context, name string) (*User, error) {
	if u := s.Snapshot().User(name); u != nil {
		return u, nil
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	if u := s.Snapshot().User(name); u != nil {
		return u, nil
	}
	return nil, errUserNotFound
}

var errUserNotFound = &model.Error{Kind: model.ErrNotFound, Text: "user not found"}

// DatabaseByUID gives the database of a uid, or nil. It looks at every database.
func (s *Snapshot) DatabaseByUID(uid uint64) *Database {
	i := slices.IndexFunc(s.databases, func(d *database) bool { return d.UID == uid })
	if i < 0 {
		return nil
	}
	return &s.databases[i].Database
}

func userToRecord(u *User) userRecord {
	return userRecord{
		Format: recordFormat, UID: u.UID, Name: u.Name, Hash: u.hash, Admin: u.Admin, Grants: grantsToRecords(u.Grants),
		MaxSeries: u.Limits.Series, MaxValuesPerTag: u.Limits.ValuesPerTag, Quota: quotaRecord(u.Quota),
	}
}

func decodeUser(value []byte) (*User, error) {
	r, err := decode(value, func(r *userRecord) int { return r.Format })
	if err != nil {
		return nil, err
	}
	if r.UID == 0 || r.Name == "" || r.Hash == "" {
		return nil, corrupt("user %d %q without name or password", r.UID, r.Name)
	}
	u := &User{
		UID: r.UID, Name: r.Name, Admin: r.Admin, hash: r.Hash,
		Limits: model.SeriesLimits{Series: r.MaxSeries, ValuesPerTag: r.MaxValuesPerTag}, Quota: model.Quota(r.Quota),
	}
	if u.Grants, err = decodeGrants(r.Grants); err != nil {
		return nil, corrupt("user %q: %v", r.Name, err)
	}
	return u, nil
}

func (b *builder) applyUser(c Change, rest string) error {
	uid, err := parseID(rest)
	if err != nil {
		return err
	}
	var u *User
	if !c.Removed {
		if u, err = decodeUser(c.Value); err != nil {
			return err
		}
		if u.UID != uid {
			return corrupt("key and value name users %d and %d", uid, u.UID)
		}
	}
	own(&b.next.users, &b.owned.users)
	b.next.users = slices.DeleteFunc(b.next.users, func(u *user) bool { return u.UID == uid })
	if u != nil {
		b.next.users = insert(b.next.users, u.Name, &user{*u, c.Modified}, compareUser)
	}
	return nil
}

func compareUser(u *user, name string) int { return strings.Compare(u.Name, name) }
