package admin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/model"
)

// listLimits gives what bounds each database, and the users that have limits.
func (a *Admin) listLimits(context.Context) (any, error) {
	now := a.Store.Snapshot()
	r := adminapi.Limits{Default: limitsJSON(a.Limits)}
	for _, d := range now.Databases() {
		r.Databases = append(r.Databases, adminapi.DatabaseLimits{
			Name: d.Name, SeriesLimits: limitsJSON(d.Limits.Or(a.Limits)),
			OwnSeries: d.Limits.Series != 0, OwnValuesPerTag: d.Limits.ValuesPerTag != 0,
			Quota: adminapi.Quota(d.Quota),
		})
	}
	for _, u := range now.Users() {
		if u.Limits != (model.SeriesLimits{}) || u.Quota != (model.Quota{}) {
			r.Users = append(r.Users, adminapi.UserLimits{Name: u.Name, SeriesLimits: limitsJSON(u.Limits), Quota: adminapi.Quota(u.Quota)})
		}
	}
	return &r, nil
}

func limitsJSON(l model.SeriesLimits) adminapi.SeriesLimits {
	return adminapi.SeriesLimits{MaxSeries: l.Series, MaxValuesPerTag: l.ValuesPerTag}
}

// setLimits changes those of a database that are given.
func (a *Admin) setLimits(w http.ResponseWriter, r *http.Request) {
	body, err := bodyOf[adminapi.LimitRequest](w, r)
	a.answer(w, r, err, func(ctx context.Context) (any, error) {
		d, err := a.Store.Database(ctx, r.PathValue("database"))
		if err != nil {
			return nil, err
		}
		limits, quota := d.Limits, d.Quota
		if err := apply(body, &limits, &quota); err != nil {
			return nil, err
		}
		return nil, a.Store.SetDatabaseLimits(ctx, d.Name, limits, quota)
	})
}

// setUserLimits changes those of a user that are given.
func (a *Admin) setUserLimits(w http.ResponseWriter, r *http.Request) {
	body, err := bodyOf[adminapi.LimitRequest](w, r)
	a.answer(w, r, err, func(ctx context.Context) (any, error) {
		u, err := a.Store.User(ctx, r.PathValue("user"))
		if err != nil {
			return nil, err
		}
		limits, quota := u.Limits, u.Quota
		if err := apply(body, &limits, &quota); err != nil {
			return nil, err
		}
		limits = model.SeriesLimits{}.And(limits) // which makes no limit of NoLimit
		return nil, a.Store.SetUserLimits(ctx, u.Name, limits, quota)
	})
}

// apply sets what a request gives.
func apply(r adminapi.LimitRequest, limits *model.SeriesLimits, quota *model.Quota) error {
	for _, x := range []struct {
		to   *int64
		how  string
		n    *int64
		none int64 // what NoLimit is stored as
	}{
		{&limits.Series, "max_series", r.MaxSeries, adminapi.NoLimit},
		{&limits.ValuesPerTag, "max_values_per_tag", r.MaxValuesPerTag, adminapi.NoLimit},
		{&quota.WritePoints, "write_points", r.WritePoints, 0},
		{&quota.Queries, "queries", r.Queries, 0},
		{&quota.QueryBytes, "query_bytes", r.QueryBytes, 0},
	} {
		switch {
		case x.n == nil:
		case *x.n < adminapi.NoLimit:
			return &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("%s: %d is no limit", x.how, *x.n)}
		case *x.n == adminapi.NoLimit:
			*x.to = x.none
		default:
			*x.to = *x.n
		}
	}
	return nil
}
