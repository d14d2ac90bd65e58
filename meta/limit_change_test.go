package meta_test

import (
	"errors"
	"testing"

	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
)

func TestLimitsAreKeptThroughOtherChanges(t *testing.T) {
	s := metatest.OpenStore(t, metatest.NewMemory(), "n")
	ctx := t.Context()
	must(t, s.CreateDatabase(ctx, "d", nil))
	must(t, s.CreateUser(ctx, "u", "pw", false))
	limits, quota := model.SeriesLimits{Series: 5, ValuesPerTag: -1}, model.Quota{WritePoints: 1, Queries: 2, QueryBytes: 3}
	must(t, s.SetDatabaseLimits(ctx, "d", limits, quota))
	must(t, s.SetUserLimits(ctx, "u", limits, quota))
	must(t, s.SetPassword(ctx, "u", "other"))
	must(t, s.CreateContinuousQuery(ctx, "d", "q", "text"))
	if d := s.Snapshot().Database("d"); d.Limits != limits || d.Quota != quota {
		t.Errorf("the database has %v, %v", d.Limits, d.Quota)
	}
	if u := s.Snapshot().User("u"); u.Limits != limits || u.Quota != quota {
		t.Errorf("the user has %v, %v", u.Limits, u.Quota)
	}
	for _, err := range []error{s.SetDatabaseLimits(ctx, "none", limits, quota), s.SetUserLimits(ctx, "none", limits, quota)} {
		if !errors.Is(err, model.ErrNotFound) {
			t.Errorf("of nobody: %v", err)
		}
	}
}
