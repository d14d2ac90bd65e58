package quota_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/coordinator/quota"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
)

// bench is a store with databases a and b and user u.
func bench(t *testing.T) (*meta.Store, *quota.Keeper) {
	t.Helper()
	s := metatest.OpenStore(t, metatest.NewMemory(), "n")
	for _, err := range []error{
		s.CreateDatabase(t.Context(), "a", nil), s.CreateDatabase(t.Context(), "b", nil), s.CreateUser(t.Context(), "u", "pw", false),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s, quota.New(s.Snapshot, nil)
}

func set(t *testing.T, s *meta.Store, database string, q model.Quota) {
	t.Helper()
	if err := s.SetDatabaseLimits(t.Context(), database, model.SeriesLimits{}, q); err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, err error) time.Duration {
	t.Helper()
	o := new(model.Overload)
	if !errors.As(err, &o) || !errors.Is(err, model.ErrOverloaded) {
		t.Fatalf("got %v, want a refusal", err)
	}
	return o.After
}

func TestPointsAboveTheQuotaDelayTheNext(t *testing.T) {
	s, k := bench(t)
	set(t, s, "a", model.Quota{WritePoints: 1000})
	synctest.Test(t, func(t *testing.T) {
		written := 0
		for begin := time.Now(); time.Since(begin) < 100*time.Second; time.Sleep(10 * time.Millisecond) {
			if k.MayWrite("", "a") == nil {
				k.Wrote("", "a", 500)
				written += 500
			}
		}
		if written < 100_000 || written > 102_000 {
			t.Errorf("%d points in 100 s", written)
		}
		k.Wrote("", "a", 10_000)
		if after := refused(t, k.MayWrite("", "a")); after < 9*time.Second || after > 11*time.Second {
			t.Errorf("told to come back after %v", after)
		}
		if err := k.MayWrite("", "b"); err != nil {
			t.Errorf("another database: %v", err)
		}
		time.Sleep(11 * time.Second)
		if err := k.MayWrite("", "a"); err != nil {
			t.Errorf("after the debt: %v", err)
		}
	})
}

func TestUsersHaveAQuotaInAllDatabases(t *testing.T) {
	s, k := bench(t)
	if err := s.SetUserLimits(t.Context(), "u", model.SeriesLimits{}, model.Quota{WritePoints: 10}); err != nil {
		t.Fatal(err)
	}
	k.Wrote("u", "a", 1000)
	if err := k.MayWrite("u", "b"); err == nil || err.Error() != `write limit of user "u" exceeded, try again later` {
		t.Errorf("got %v", err)
	}
	if err := k.MayWrite("", "a"); err != nil {
		t.Errorf("without a user: %v", err)
	}
}

func TestChangesAreInForceAtOnce(t *testing.T) {
	s, k := bench(t)
	set(t, s, "a", model.Quota{WritePoints: 1, Queries: 1})
	k.Wrote("", "a", 1_000_000)
	refused(t, k.MayWrite("", "a"))
	first, err := k.Admit(t.Context(), "", []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	set(t, s, "a", model.Quota{})
	if err := k.MayWrite("", "a"); err != nil {
		t.Errorf("write after the quota was taken away: %v", err)
	}
	second, err := k.Admit(t.Context(), "", []string{"a"})
	if err != nil {
		t.Errorf("query after the quota was taken away: %v", err)
	}
	first.Leave()
	second.Leave()
}

func TestQueriesAboveTheQuotaWaitAndThenAreRefused(t *testing.T) {
	s, k := bench(t)
	set(t, s, "a", model.Quota{Queries: 2})
	synctest.Test(t, func(t *testing.T) {
		running := make(chan func(), 1000)
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 + 64 {
			go func() {
				if share, err := k.Admit(ctx, "u", []string{"a", "b"}); err == nil {
					running <- share.Leave
				}
			}()
		}
		synctest.Wait()
		if len(running) != 2 {
			t.Fatalf("%d queries run, want 2", len(running))
		}
		_, err := k.Admit(ctx, "", []string{"a"})
		if refused(t, err); !strings.Contains(err.Error(), `query limit of database "a" exceeded`) {
			t.Errorf("got %v", err)
		}
		if share, err := k.Admit(ctx, "", []string{"b"}); err != nil {
			t.Errorf("another database: %v", err)
		} else {
			share.Leave()
		}
		(<-running)()
		synctest.Wait()
		if len(running) != 2 {
			t.Errorf("%d queries run after one has ended, want 2", len(running))
		}
		cancel() // those that wait
		synctest.Wait()
		(<-running)()
		(<-running)()
		for range 2 { // nobody has kept a place
			if _, err := k.Admit(t.Context(), "", []string{"a"}); err != nil {
				t.Errorf("after all have ended: %v", err)
			}
		}
	})
}

func TestAQueryThatWaitsForItsUserHoldsUpNobodyElse(t *testing.T) {
	s, k := bench(t)
	set(t, s, "a", model.Quota{Queries: 2})
	if err := s.SetUserLimits(t.Context(), "u", model.SeriesLimits{}, model.Quota{Queries: 1}); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			go func() { _, _ = k.Admit(ctx, "u", []string{"a"}) }()
		}
		synctest.Wait()
		other, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := k.Admit(other, "", []string{"a"}); err != nil {
			t.Errorf("someone else: %v", err)
		}
		cancel()
		synctest.Wait()
	})
}

func TestSpendWaits(t *testing.T) {
	s, k := bench(t)
	set(t, s, "a", model.Quota{WritePoints: 1000})
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		for range 10 {
			if err := k.Spend(t.Context(), "", "a", 10_000); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took < 88*time.Second || took > 91*time.Second {
			t.Errorf("100,000 points took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := k.Spend(ctx, "", "a", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNobodyIsRefusedWithoutAKeeper(t *testing.T) {
	var k *quota.Keeper
	k.Wrote("", "a", 1<<40)
	if err := errors.Join(k.MayWrite("", "a"), k.Spend(t.Context(), "", "a", 1)); err != nil {
		t.Error(err)
	}
	if share, err := k.Admit(t.Context(), "", nil); err != nil {
		t.Error(err)
	} else {
		share.Leave()
	}
}
