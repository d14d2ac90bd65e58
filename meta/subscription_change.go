package meta

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/varvedb/varve/model"
)

// Bounds of subscriptions: each destination is a queue in memory on every node
// that takes writes.
const (
	maxSubscriptions    = 100 // of a policy
	maxDestinations     = 32  // of a subscription
	maxDestinationBytes = 2 << 10
)

// CreateSubscription adds a subscription to a policy; model.ErrConflict says
// that there is one of its name.
func (s *Store) CreateSubscription(ctx context.Context, database, policy string, sub Subscription) error {
	if err := sub.check(); err != nil {
		return err
	}
	sub.Destinations = slices.Clone(sub.Destinations)
	tried := false // when there is an equal one then, this may have made it
	return s.changePolicy(ctx, "create subscription", database, policy, func(p *Policy) (bool, error) {
		i := p.subscriptionIndex(sub.Name)
		switch {
		case i >= 0 && tried && reflect.DeepEqual(*p.Subscriptions[i], sub):
			return true, nil
		case i >= 0:
			return false, conflict("subscription already exists")
		case len(p.Subscriptions) >= maxSubscriptions:
			return false, tooLarge(fmt.Sprintf("retention policy %s has too many subscriptions: the limit is %d", policy, maxSubscriptions))
		}
		tried = true
		p.Subscriptions = append(slices.Clip(p.Subscriptions), &sub)
		return false, nil
	})
}

// DropSubscription removes a subscription; model.ErrNotFound says that there
// was none.
func (s *Store) DropSubscription(ctx context.Context, database, policy, name string) error {
	tried := false // when it is gone then, this may have done it
	return s.changePolicy(ctx, "drop subscription", database, policy, func(p *Policy) (bool, error) {
		i := p.subscriptionIndex(name)
		switch {
		case i < 0 && tried:
			return true, nil
		case i < 0:
			return false, &model.Error{Kind: model.ErrNotFound, Text: "subscription not found"}
		}
		tried = true
		p.Subscriptions = slices.Delete(slices.Clone(p.Subscriptions), i, i+1)
		return false, nil
	})
}

// changePolicy changes a copy of one policy, unless apply finds that it is done.
func (s *Store) changePolicy(ctx context.Context, doing, database, policy string, apply func(*Policy) (done bool, err error)) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d := now.database(database)
		if d == nil {
			return false, databaseNotFound(database)
		}
		i := d.policyIndex(policy)
		if i < 0 {
			return false, policyNotFound(policy)
		}
		p := *d.Policies[i]
		if done, err := apply(&p); done || err != nil {
			return done, err
		}
		to := d.Database
		to.Policies = slices.Clone(to.Policies)
		to.Policies[i] = &p
		put, err := s.putLarger(&to)
		if err != nil {
			return false, err
		}
		return s.commit(ctx, doing, []Condition{{Key: s.keys.database(d.UID), Revision: d.modified}}, []Op{put})
	})
}

func (p *Policy) subscriptionIndex(name string) int {
	return slices.IndexFunc(p.Subscriptions, func(s *Subscription) bool { return s.Name == name })
}

func (s *Subscription) check() error {
	switch {
	case !utf8.ValidString(s.Name): // "" is a name, as in InfluxDB
		return invalid("invalid name")
	case len(s.Name) > maxNameBytes:
		return invalid("name too long")
	case s.Mode != ToAll && s.Mode != ToAny:
		return invalid(fmt.Sprintf("invalid subscription mode: %s", s.Mode))
	case len(s.Destinations) > maxDestinations:
		return tooLarge(fmt.Sprintf("subscription has too many destinations: the limit is %d", maxDestinations))
	}
	for _, d := range s.Destinations {
		if err := checkDestination(d); err != nil {
			return err
		}
	}
	return nil
}

// checkDestination applies InfluxDB's rules: udp, http or https, with a port.
func checkDestination(text string) error {
	bad := invalid("invalid subscription URL: " + text)
	if len(text) > maxDestinationBytes || !utf8.ValidString(text) {
		return bad
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "udp" && u.Scheme != "http" && u.Scheme != "https" {
		return bad
	}
	if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "" {
		return bad
	}
	return nil
}
