package admin

import (
	"context"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// Running gives the requests that run, of all nodes, and the nodes that did not
// say; a *query.Executor or a *coordinator.Queries.
type Running func(ctx context.Context) (all []query.Running, lacking []string, err error)

// ShowQueries sets who knows what runs. It is called before the first request.
func (a *Admin) ShowQueries(r Running) { a.running = r }

// listQueries answers GET /queries.
func (a *Admin) listQueries(ctx context.Context) (any, error) {
	if a.running == nil {
		return nil, &model.Error{Kind: model.ErrNotSupported, Text: "this node takes no queries: ask one that does"}
	}
	all, lacking, err := a.running(ctx)
	if err != nil {
		return nil, err
	}
	out := &adminapi.Queries{Queries: []adminapi.Query{}, Lacking: lacking}
	for _, r := range all {
		if r.Node == 0 {
			r.Node = a.Store.Self()
		}
		out.Queries = append(out.Queries, adminapi.Query{
			Node: r.Node, Host: nameOf(a.Store.Snapshot(), r.Node), ID: r.ID, Text: r.Text, Database: r.Database, User: r.User, Age: r.Age,
			Killed: r.Killed, Memory: r.Memory, Series: r.Series, Points: r.Points, Rows: r.Answered, Busy: r.Busy,
		})
	}
	return out, nil
}
