package query

import "context"

// Subscriptions is the part of the Catalog that keeps subscriptions.
type Subscriptions interface {
	// Subscriptions gives those of a database, by policy; none of a database
	// that there is not.
	Subscriptions(ctx context.Context, database string) ([]Subscription, error)
	// CreateSubscription adds one.
	CreateSubscription(ctx context.Context, database string, s Subscription) error
	// DropSubscription removes one, or gives model.ErrNotFound.
	DropSubscription(ctx context.Context, database, policy, name string) error
}

// Subscription is a copy of what is written to a policy, sent elsewhere.
type Subscription struct {
	Policy       string
	Name         string
	Mode         string // ALL or ANY
	Destinations []string
}
