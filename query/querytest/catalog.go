package querytest

import (
	"context"
	"slices"
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// ContinuousQueries implements query.ContinuousQueries.
func (s *Store) ContinuousQueries(_ context.Context, database string) ([]query.ContinuousQuery, error) {
	return s.continuous[database], nil
}

// CreateContinuousQuery implements query.ContinuousQueries.
func (s *Store) CreateContinuousQuery(_ context.Context, database string, q query.ContinuousQuery) error {
	for _, have := range s.continuous[database] {
		if have.Name == q.Name && strings.EqualFold(have.Text, q.Text) {
			return nil
		} else if have.Name == q.Name {
			return &model.Error{Kind: model.ErrConflict, Text: "continuous query already exists"}
		}
	}
	s.continuous[database] = append(s.continuous[database], q)
	return nil
}

// DropContinuousQuery implements query.ContinuousQueries.
func (s *Store) DropContinuousQuery(_ context.Context, database, name string) error {
	s.continuous[database] = slices.DeleteFunc(s.continuous[database], func(q query.ContinuousQuery) bool { return q.Name == name })
	return nil
}

// Subscriptions implements query.Subscriptions.
func (s *Store) Subscriptions(_ context.Context, database string) ([]query.Subscription, error) {
	return s.subscriptions[database], nil
}

// CreateSubscription implements query.Subscriptions.
func (s *Store) CreateSubscription(_ context.Context, database string, sub query.Subscription) error {
	s.subscriptions[database] = append(s.subscriptions[database], sub)
	return nil
}

// DropSubscription implements query.Subscriptions.
func (s *Store) DropSubscription(_ context.Context, database, policy, name string) error {
	s.subscriptions[database] = slices.DeleteFunc(s.subscriptions[database], func(sub query.Subscription) bool {
		return sub.Policy == policy && sub.Name == name
	})
	return nil
}

// Users implements query.Users.
func (s *Store) Users(context.Context) ([]query.Account, error) { return s.users, nil }

// User implements query.Users.
func (s *Store) User(_ context.Context, name string) (query.Account, error) {
	if i := s.user(name); i >= 0 {
		return s.users[i], nil
	}
	return query.Account{}, errUserNotFound
}

func (s *Store) user(name string) int {
	return slices.IndexFunc(s.users, func(u query.Account) bool { return u.Name == name })
}

var errUserNotFound = &model.Error{Kind: model.ErrNotFound, Text: "user not found"}

// CreateUser implements query.Users.
func (s *Store) CreateUser(_ context.Context, name, _ string, admin bool) error {
	if s.user(name) >= 0 {
		return &model.Error{Kind: model.ErrConflict, Text: "user already exists"}
	}
	s.users = append(s.users, query.Account{Name: name, Admin: admin})
	return nil
}

// CreateFirstAdmin implements query.Users.
func (s *Store) CreateFirstAdmin(ctx context.Context, name, password string) error {
	if slices.ContainsFunc(s.users, func(u query.Account) bool { return u.Admin }) {
		return &model.Error{Kind: model.ErrForbidden, Text: "error authorizing query: no user provided"}
	}
	return s.CreateUser(ctx, name, password, true)
}

// DropUser implements query.Users.
func (s *Store) DropUser(_ context.Context, name string) error {
	return s.changeUser(name, func(i int) { s.users = slices.Delete(s.users, i, i+1) })
}

// SetPassword implements query.Users.
func (s *Store) SetPassword(_ context.Context, name, _ string) error {
	return s.changeUser(name, func(int) {})
}

// SetAdmin implements query.Users.
func (s *Store) SetAdmin(_ context.Context, name string, admin bool) error {
	return s.changeUser(name, func(i int) { s.users[i].Admin = admin })
}

// Grant implements query.Users.
func (s *Store) Grant(_ context.Context, name, database string, p influxql.Privilege) error {
	return s.changeUser(name, func(i int) { s.grant(i, database).Privilege = p })
}

// Revoke implements query.Users.
func (s *Store) Revoke(_ context.Context, name, database string, p influxql.Privilege) error {
	return s.changeUser(name, func(i int) { s.grant(i, database).Privilege &^= p })
}

func (s *Store) changeUser(name string, change func(i int)) error {
	i := s.user(name)
	if i < 0 {
		return errUserNotFound
	}
	change(i)
	return nil
}

// grant gives the grant of a user on a database for changing.
func (s *Store) grant(user int, database string) *query.Grant {
	grants := &s.users[user].Grants
	i, ok := slices.BinarySearchFunc(*grants, database, func(g query.Grant, name string) int { return strings.Compare(g.Database, name) })
	if !ok {
		*grants = slices.Insert(*grants, i, query.Grant{Database: database})
	}
	return &(*grants)[i]
}

// ShardGroups implements query.ShardGroups: a Store cuts what it holds anew for
// each statement, so it has none to show.
func (*Store) ShardGroups(context.Context, string) ([]query.ShardGroup, error) { return nil, nil }

// DropShard implements query.ShardGroups.
func (*Store) DropShard(context.Context, uint64) error { return nil }
