package auth

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// Authenticator tells who sends a request. Its methods may be called at the same
// time.
type Authenticator struct {
	cfg   Config
	store *meta.Store
	log   *slog.Logger
}

// New gives an Authenticator over the users of a store. reg may be nil.
func New(cfg Config, store *meta.Store, log *slog.Logger, reg prometheus.Registerer) (*Authenticator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Authenticator{cfg: cfg, store: store, log: log}, nil
}

// Authenticate gives who sends r. Errors are of kind model.ErrUnauthenticated with
// InfluxDB's texts, or model.ErrUnavailable or model.ErrOverloaded.
func (a *Authenticator) Authenticate(r *http.Request) (query.User, error) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return nil, errNoCredentials
	}
	u := a.store.Snapshot().User(name)
	if u == nil {
		return nil, errNoCredentials
	}
	if same, err := a.store.IsPassword(r.Context(), u, password); err != nil || !same {
		return nil, errNoCredentials
	}
	return user{a.store, u}, nil
}

var errNoCredentials = &model.Error{Kind: model.ErrUnauthenticated, Text: "unable to parse authentication credentials"}
