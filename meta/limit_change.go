package meta

import (
	"context"

	"github.com/varvedb/varve/model"
)

// SetLimits sets the limits of a database. In them 0 is the server's default,
// less than 0 no limit.
func (s *Store) SetLimits(ctx context.Context, database string, limits model.SeriesLimits) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d := now.database(database)
		if d == nil {
			return false, databaseNotFound(database)
		}
		if d.Limits == limits {
			return true, nil
		}
		to := d.Database
		to.Limits = limits
		return s.commit(ctx, "set limits",
			[]Condition{{Key: s.keys.database(d.UID), Revision: d.modified}},
			[]Op{Put(s.keys.database(d.UID), encode(databaseToRecord(&to)))})
	})
}
