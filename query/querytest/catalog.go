package querytest

import (
	"context"
	"slices"
	"strings"

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
