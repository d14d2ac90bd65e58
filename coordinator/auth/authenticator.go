package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// Authenticator tells who sends a request. Its methods may be called at the same
// time.
type Authenticator struct {
	store     *meta.Store
	metrics   *metrics
	refresh   *refresher
	passwords *passwords
	webTokens *webTokens // nil: none are taken
	bootstrap *Bootstrap
}

// New gives an Authenticator over the users of a store. reg may be nil.
func New(cfg Config, store *meta.Store, b *Bootstrap, reg prometheus.Registerer) (*Authenticator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &Authenticator{store: store, metrics: newMetrics(reg), refresh: newRefresher(store), bootstrap: b}
	a.passwords = newPasswords(store, a.refresh, a.metrics)
	if cfg.SharedSecret != "" {
		a.webTokens = newWebTokens(cfg.SharedSecret)
	}
	return a, nil
}

// Authenticate gives who sends r: a user of the cluster or one of its tokens, or
// query.Nobody while there is no administrator.
//
// Errors have InfluxDB's texts and are of kind model.ErrUnauthenticated; or of kind
// model.ErrUnavailable or model.ErrOverloaded, where who it is cannot be said now.
func (a *Authenticator) Authenticate(r *http.Request) (query.User, error) {
	u, err := a.authenticate(r)
	a.metrics.count(err)
	return u, err
}

func (a *Authenticator) authenticate(r *http.Request) (query.User, error) {
	ctx := r.Context()
	c, wrong := credentialsOf(r)
	if !a.store.Snapshot().HasAdmin() {
		if nobody, err := a.nobody(r, c, wrong); nobody != nil || err != nil {
			return nobody, err
		}
	}
	if wrong != nil {
		return nil, wrong
	}
	switch c.kind {
	case byToken:
		return a.token(ctx, c.secret)
	case byWebToken:
		return a.webToken(ctx, c.secret)
	}
	u, err := a.passwords.user(ctx, c.name, c.secret, addressOf(r))
	if err != nil {
		return nil, err
	}
	return user{a.store, u}, nil
}

// nobody gives query.Nobody while there is no administrator, and nil where the
// credentials are to be looked at: those of a user count without one, too.
func (a *Authenticator) nobody(r *http.Request, c credentials, wrong error) (query.User, error) {
	if err := a.refresh.wait(r.Context()); err != nil {
		return nil, err
	}
	s := a.store.Snapshot()
	first := wrong == nil && a.bootstrap.is(c.secret)
	switch {
	case s.HasAdmin():
		return nil, nil
	case wrong == nil && !first && len(s.Users())+len(s.Tokens()) > 0:
		return nil, nil
	}
	return query.Nobody{Founds: first || isLocal(r)}, nil
}

// token gives the token of the cluster with a text.
func (a *Authenticator) token(ctx context.Context, text string) (query.User, error) {
	uid, secret, ok := ParseToken(text)
	if !ok {
		return nil, errWrong
	}
	t := a.store.Snapshot().Token(uid)
	if t == nil {
		if err := a.refresh.wait(ctx); err != nil {
			return nil, err
		}
		t = a.store.Snapshot().Token(uid)
	}
	if t == nil || !t.Is(secret) || t.Expired(time.Now()) {
		return nil, errWrong // a token's secret and end never change
	}
	return bearer{a.store, t}, nil
}

// webToken gives the user that a JSON web token names.
func (a *Authenticator) webToken(ctx context.Context, text string) (query.User, error) {
	if a.webTokens == nil {
		return nil, refused("bearer auth disabled")
	}
	name, err := a.webTokens.user(text)
	if err != nil {
		return nil, err
	}
	u := a.store.Snapshot().User(name)
	if u == nil {
		if err := a.refresh.wait(ctx); err != nil {
			return nil, err
		}
		if u = a.store.Snapshot().User(name); u == nil {
			return nil, refused("user not found")
		}
	}
	return user{a.store, u}, nil
}

// Renew gives u with the rights that he has after every change made before the
// call, on any node. It is for whoever is about to refuse him for good.
func (a *Authenticator) Renew(ctx context.Context, u query.User) (query.User, error) {
	if err := a.refresh.wait(ctx); err != nil {
		return nil, err
	}
	s := a.store.Snapshot()
	switch u := u.(type) {
	case user:
		if now := s.User(u.User.Name); now != nil && now.UID == u.UID {
			return user{a.store, now}, nil
		}
	case bearer:
		if now := s.Token(u.UID); now != nil {
			return u, nil
		}
	default:
		return u, nil
	}
	return nil, errWrong
}

// refused is the error for credentials that are wrong for sure.
func refused(text string) error { return &model.Error{Kind: model.ErrUnauthenticated, Text: text} }

var (
	errNoCredentials = refused("unable to parse authentication credentials")
	errWrong         = refused("authorization failed")
)
