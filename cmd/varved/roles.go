package main

import (
	"context"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/httpapi"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// noCoordinator answers writes and queries at a node without that role, with
// what makes a client try another.
type noCoordinator struct{}

var (
	_ httpapi.Writer    = noCoordinator{}
	_ httpapi.Queries   = noCoordinator{}
	_ httpapi.Databases = noCoordinator{}
)

var errNoCoordinator = &model.Error{Kind: model.ErrUnavailable, Text: "this node takes no writes and no queries: it has not the role coordinator"}

var errDrained = &model.Error{Kind: model.ErrUnavailable, Text: "this node is drained: it is to be removed"}

// elsewhere says why clients should go to another node, for /readyz. While etcd is
// away they need not.
func (s *server) elsewhere() error {
	if !s.cfg.Has(meta.RoleCoordinator) {
		return errNoCoordinator
	}
	if n := s.store.Snapshot().Node(s.self.ID); n != nil && n.Draining {
		return errDrained
	}
	return nil
}

// Write implements httpapi.Writer.
func (noCoordinator) Write(_ context.Context, r coordinator.WriteRequest) error {
	if r.Release != nil {
		r.Release()
	}
	return errNoCoordinator
}

// Parse implements httpapi.Queries.
func (noCoordinator) Parse(query.Request) (*query.Query, error) { return nil, errNoCoordinator }

// Make implements httpapi.Queries.
func (noCoordinator) Make(query.Request, ...influxql.Statement) (*query.Query, error) {
	return nil, errNoCoordinator
}

// Points implements httpapi.Queries.
func (noCoordinator) Points(query.Request, query.Points) (*query.Query, error) {
	return nil, errNoCoordinator
}

// Execute implements httpapi.Queries.
func (noCoordinator) Execute(context.Context, *query.Query, query.Sink) error {
	return errNoCoordinator
}

// Databases implements httpapi.Databases.
func (noCoordinator) Databases(context.Context) ([]*query.Database, error) {
	return nil, errNoCoordinator
}

// Database implements httpapi.Databases.
func (noCoordinator) Database(context.Context, string) (*query.Database, error) {
	return nil, errNoCoordinator
}
