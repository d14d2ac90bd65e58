package admin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/model"
)

// listLimits gives what bounds the series of each database.
func (a *Admin) listLimits(context.Context) (any, error) {
	r := adminapi.Limits{Default: limitsJSON(a.Limits)}
	for _, d := range a.Store.Snapshot().Databases() {
		r.Databases = append(r.Databases, adminapi.DatabaseLimits{
			Name: d.Name, SeriesLimits: limitsJSON(d.Limits.Or(a.Limits)),
			OwnSeries: d.Limits.Series != 0, OwnValuesPerTag: d.Limits.ValuesPerTag != 0,
		})
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
		name := r.PathValue("database")
		d, err := a.Store.Database(ctx, name)
		if err != nil {
			return nil, err
		}
		limits := d.Limits
		for _, x := range []struct {
			to  *int64
			how string
			n   *int64
		}{{&limits.Series, "max_series", body.MaxSeries}, {&limits.ValuesPerTag, "max_values_per_tag", body.MaxValuesPerTag}} {
			if x.n == nil {
				continue
			}
			if *x.n < adminapi.NoLimit {
				return nil, &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("%s: %d is no limit", x.how, *x.n)}
			}
			*x.to = *x.n
		}
		return nil, a.Store.SetDatabaseLimits(ctx, name, limits, d.Quota)
	})
}
