package meta

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/varvedb/varve/model"
)

// maxUsers bounds the users of a cluster, which every node keeps in memory. The
// grants of one are bounded by the databases.
const maxUsers = 10_000

// CreateUser makes a user. One that exists with this password and is an
// administrator or not, as asked, is no error; another of that name is
// model.ErrConflict.
func (s *Store) CreateUser(ctx context.Context, name, password string, admin bool) error {
	if err := checkUserName(name); err != nil {
		return err
	}
	if err := s.Refresh(ctx); err != nil {
		return err
	}
	var hash string
	for {
		if have := s.Snapshot().User(name); have != nil {
			return s.sameUser(ctx, have, password, admin)
		}
		if hash == "" {
			var err error
			if hash, err = s.hashing.hash(ctx, password); err != nil {
				return err
			}
		}
		if made, err := s.addUser(ctx, User{Name: name, Admin: admin, hash: hash}, false); made || err != nil {
			return err
		}
	}
}

// CreateFirstAdmin makes the first administrator: of several made at a time, one
// is, and the others are refused with model.ErrForbidden.
func (s *Store) CreateFirstAdmin(ctx context.Context, name, password string) error {
	if err := checkUserName(name); err != nil {
		return err
	}
	if err := s.Refresh(ctx); err != nil {
		return err
	}
	switch now := s.Snapshot(); {
	case now.HasAdmin():
		return errHasAdmin
	case now.User(name) != nil:
		return conflict("user already exists")
	}
	hash, err := s.hashing.hash(ctx, password)
	if err != nil {
		return err
	}
	made, err := s.addUser(ctx, User{Name: name, Admin: true, hash: hash}, true)
	if err == nil && !made {
		err = conflict("user already exists")
	}
	return err
}

var errHasAdmin = &model.Error{Kind: model.ErrForbidden, Text: "error authorizing query: no user provided"}

// sameUser gives the error of making a user that there is.
func (s *Store) sameUser(ctx context.Context, have *User, password string, admin bool) error {
	same, err := s.hashing.matches(ctx, have.hash, password)
	if err == nil && !(same && have.Admin == admin) {
		err = conflict("user already exists")
	}
	return err
}

// addUser makes a user, unless there is one of that name; first, that there is no
// administrator.
func (s *Store) addUser(ctx context.Context, u User, first bool) (made bool, err error) {
	err = s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		if first && now.HasAdmin() {
			return false, errHasAdmin
		}
		if now.user(u.Name) != nil {
			return true, nil
		}
		if len(now.users) >= maxUsers {
			return false, tooLarge(fmt.Sprintf("too many users: the limit is %d", maxUsers))
		}
		u.UID = now.counter.next
		// Two of one name cannot be made at once: each takes an id.
		made, err = s.commit(ctx, "create user",
			[]Condition{s.idsUnchanged(now)},
			[]Op{Put(s.keys.user(u.UID), encode(userToRecord(&u))), s.takeIDs(now, 1)})
		return made, err
	})
	return made, err
}

// DropUser removes a user; model.ErrNotFound says that there was none.
func (s *Store) DropUser(ctx context.Context, name string) error {
	tried := false // when it is gone then, this may have done it
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		u := now.user(name)
		switch {
		case u == nil && tried:
			return true, nil
		case u == nil:
			return false, errUserNotFound
		}
		tried = true
		key := s.keys.user(u.UID)
		return s.commit(ctx, "drop user", []Condition{{Key: key, Revision: u.modified}}, []Op{Delete(key)})
	})
}

// SetPassword gives a user another password.
func (s *Store) SetPassword(ctx context.Context, name, password string) error {
	if _, err := s.User(ctx, name); err != nil {
		return err
	}
	hash, err := s.hashing.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.changeUser(ctx, "set password", name, func(_ *Snapshot, u *User) error {
		u.hash = hash
		return nil
	})
}

// SetAdmin says whether a user is an administrator.
func (s *Store) SetAdmin(ctx context.Context, name string, admin bool) error {
	return s.changeUser(ctx, "set administrator", name, func(_ *Snapshot, u *User) error {
		u.Admin = admin
		return nil
	})
}

// Grant gives a user a privilege on a database, in place of the one before.
func (s *Store) Grant(ctx context.Context, name, database string, p Privilege) error {
	return s.changeGrant(ctx, "grant privilege", name, database, func(Privilege) Privilege { return p })
}

// Revoke takes a privilege on a database from a user.
func (s *Store) Revoke(ctx context.Context, name, database string, p Privilege) error {
	return s.changeGrant(ctx, "revoke privilege", name, database, func(had Privilege) Privilege { return had &^ p })
}

func (s *Store) changeGrant(ctx context.Context, doing, name, database string, to func(Privilege) Privilege) error {
	return s.changeUser(ctx, doing, name, func(now *Snapshot, u *User) error {
		d := now.Database(database)
		if d == nil {
			return databaseNotFound(database)
		}
		// Those on databases that were dropped go now; nobody sees them.
		u.Grants = slices.DeleteFunc(slices.Clone(u.Grants), func(g Grant) bool { return now.DatabaseByUID(g.Database) == nil })
		i, ok := grantIndex(u.Grants, d.UID)
		if !ok {
			u.Grants = slices.Insert(u.Grants, i, Grant{Database: d.UID})
		}
		u.Grants[i].Privilege = to(u.Grants[i].Privilege)
		return nil
	})
}

// changeUser changes a copy of a user.
func (s *Store) changeUser(ctx context.Context, doing, name string, apply func(*Snapshot, *User) error) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		have := now.user(name)
		if have == nil {
			return false, errUserNotFound
		}
		u := have.User
		if err := apply(now, &u); err != nil {
			return false, err
		}
		key := s.keys.user(u.UID)
		return s.commit(ctx, doing,
			[]Condition{{Key: key, Revision: have.modified}},
			[]Op{Put(key, encode(userToRecord(&u)))})
	})
}

func checkUserName(name string) error {
	switch {
	case name == "":
		return invalid("username required")
	case !utf8.ValidString(name):
		return invalid("invalid name")
	case len(name) > maxNameBytes:
		return invalid("name too long")
	}
	return nil
}
