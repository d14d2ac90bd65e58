package admin

import (
	"context"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/coordinator/continuous"
)

// listContinuous gives how the continuous queries fare.
func (a *Admin) listContinuous(ctx context.Context) (any, error) {
	all, runner, err := continuous.Look(ctx, a.Store)
	if err != nil {
		return nil, err
	}
	r := adminapi.Continuous{Runner: nameOf(a.Store.Snapshot(), runner), Queries: []adminapi.ContinuousQuery{}}
	for _, s := range all {
		q := adminapi.ContinuousQuery{
			Database: s.Database, Name: s.Query.Name, Text: s.Query.Text,
			LastRun: s.Progress.Ran, Lag: s.Lag, Points: s.Progress.Points, Error: s.Progress.Failure,
		}
		if s.Progress.Until != 0 {
			q.Until = time.Unix(0, s.Progress.Until).UTC()
		}
		r.Queries = append(r.Queries, q)
	}
	return &r, nil
}
