package continuous

import (
	"context"
	"time"

	"github.com/varvedb/varve/meta"
)

// Status is how a continuous query fares.
type Status struct {
	Database string
	Query    *meta.ContinuousQuery
	Progress meta.Progress // zero: it has not run yet
	Lag      time.Duration // for how long it has been due
}

// Look gives how the continuous queries of the cluster fare, in the order of
// SHOW CONTINUOUS QUERIES, and the node that runs them; 0 is none.
func Look(ctx context.Context, store *meta.Store) (all []Status, runner uint64, err error) {
	progress, err := store.Progress(ctx)
	if err != nil {
		return nil, 0, err
	}
	if runner, err = store.Holder(ctx, leaseName); err != nil {
		return nil, 0, err
	}
	s, now := store.Snapshot(), time.Now()
	for _, d := range s.Databases() {
		for _, q := range s.ContinuousQueries(d.UID) {
			j := newJob(d.Name, q, progress[q.UID])
			all = append(all, Status{Database: d.Name, Query: q, Progress: j.progress, Lag: j.lag(now)})
		}
	}
	return all, runner, nil
}
