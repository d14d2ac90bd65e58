package meta

import (
	"context"

	"github.com/varvedb/varve/model"
)

// SetDatabaseLimits sets the limits and the quota of a database. In the limits
// 0 is the server's default, less than 0 no limit.
func (s *Store) SetDatabaseLimits(ctx context.Context, database string, limits model.SeriesLimits, quota model.Quota) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d := now.database(database)
		if d == nil {
			return false, databaseNotFound(database)
		}
		to := d.Database
		to.Limits, to.Quota = limits, quota
		if d.Limits == to.Limits && d.Quota == to.Quota {
			return true, nil
		}
		return s.commit(ctx, "set limits",
			[]Condition{{Key: s.keys.database(d.UID), Revision: d.modified}},
			[]Op{Put(s.keys.database(d.UID), encode(databaseToRecord(&to)))})
	})
}

// SetUserLimits sets the limits and the quota of a user, in which 0 is no limit.
func (s *Store) SetUserLimits(ctx context.Context, name string, limits model.SeriesLimits, quota model.Quota) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		u := now.user(name)
		if u == nil {
			return false, errUserNotFound
		}
		to := u.User
		to.Limits, to.Quota = limits, quota
		if u.Limits == to.Limits && u.Quota == to.Quota {
			return true, nil
		}
		return s.commit(ctx, "set limits",
			[]Condition{{Key: s.keys.user(u.UID), Revision: u.modified}},
			[]Op{Put(s.keys.user(u.UID), encode(userToRecord(&to)))})
	})
}
