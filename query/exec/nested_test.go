package exec_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
)

func TestSubqueriesAreBounded(t *testing.T) {
	sh := many()
	for _, c := range []struct {
		q, want string
		opt     plan.Options
	}{
		// Groups wait for each other.
		{"SELECT x FROM (SELECT f AS x FROM m GROUP BY h LIMIT 50)", "max-select-memory limit exceeded", plan.Options{MaxBytes: 50_000}},
		// Groups wait until it is known which there are.
		{"SELECT x FROM (SELECT f AS x FROM m) GROUP BY h SLIMIT 90", "max-select-memory limit exceeded", plan.Options{MaxBytes: 50_000}},
		// Windows of the statement around.
		{"SELECT sum(x) FROM (SELECT f AS x FROM m) WHERE time >= 0 AND time < 1000 GROUP BY time(1ns) fill(none)", "max-select-memory limit exceeded", plan.Options{MaxBytes: 5000}},
		// Windows inside, where they are filled.
		{"SELECT sum(x) FROM (SELECT sum(f) AS x FROM m GROUP BY time(1ns) fill(0)) WHERE time >= 0 AND time < 200", "max-select-buckets limit exceeded: (199/50)", plan.Options{MaxBuckets: 50}},
	} {
		_, err := tryRun(t, t.Context(), c.q, c.opt, sh)
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, model.ErrTooLarge) {
			t.Errorf("%s: %v, want %s", c.q, err, c.want)
		}
	}
}

func TestSubqueriesThatMultiplyAreRefused(t *testing.T) {
	q := "SELECT max(f) AS x FROM m"
	for range 30 {
		q = "SELECT max(x) + difference(max(x)) AS x FROM (" + q + ")"
	}
	q += " WHERE time >= 0 AND time < 1000 GROUP BY time(100ns)"
	for _, sh := range []shard{many(), {model.AllTime, exectest.New(exectest.Options{})}} {
		start := time.Now()
		_, err := tryRun(t, t.Context(), q, plan.Options{Now: now}, sh)
		if !errors.Is(err, model.ErrTooLarge) {
			t.Errorf("%v after %s, want ErrTooLarge", err, time.Since(start))
		}
	}
}

// Each of these has much to do when it is cancelled at its first row.
func TestCancelledSubqueriesEnd(t *testing.T) {
	sh := many()
	for _, q := range []string{
		"SELECT f FROM (SELECT f FROM m)",
		"SELECT f FROM (SELECT f FROM m GROUP BY h LIMIT 90)",
		"SELECT max(x) FROM (SELECT mean(f) AS x FROM m WHERE time >= 0 AND time < 1h GROUP BY time(1ns) fill(0))",
		"SELECT difference(x) FROM (SELECT mean(f) AS x FROM m WHERE time >= 0 AND time < 1h GROUP BY time(1ns) fill(0))",
		"SELECT x FROM (SELECT x FROM (SELECT f AS x FROM m WHERE time >= 0) GROUP BY h)",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		bound := bind(t, q, plan.Options{Now: now}, sh)
		var cancelled time.Time
		err := exec.Finish(ctx, bound, func(f *plan.Fragment) ([]exec.Stream, error) {
			return []exec.Stream{exec.Pipe(sh.times, func(ctx context.Context, emit func(*exec.Partial) error) error {
				return exec.RunFragment(ctx, sh.src, f, func(p *exec.Partial) error {
					if cancelled.IsZero() {
						cancelled = time.Now()
						cancel()
					}
					return emit(p)
				})
			})}, nil
		}, func(*exec.Rows) error { return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want a cancelled context", q, err)
		}
		if took := time.Since(cancelled); took > time.Second { // of 100 ms that it should take; machines can be busy
			t.Errorf("%s: ended %s after it was cancelled", q, took)
		}
		cancel()
	}
}

func TestAFailingShardFailsTheStatementAroundASubquery(t *testing.T) {
	boom := errors.New("boom")
	sh := many()
	for _, q := range []string{
		"SELECT f FROM (SELECT f FROM m)", "SELECT max(f) FROM (SELECT f FROM m) GROUP BY h", "SELECT f FROM (SELECT f FROM m GROUP BY h LIMIT 1)",
		"SELECT max(x) FROM (SELECT max(f) AS x FROM m GROUP BY h)", "SELECT x FROM (SELECT difference(f) AS x FROM m GROUP BY h)",
	} {
		bound := bind(t, q, plan.Options{Now: now}, sh)
		err := exec.Finish(t.Context(), bound, func(f *plan.Fragment) ([]exec.Stream, error) {
			return []exec.Stream{exec.Pipe(sh.times, func(ctx context.Context, emit func(*exec.Partial) error) error {
				if err := exec.RunFragment(ctx, sh.src, f, emit); err != nil {
					return err
				}
				return boom
			})}, nil
		}, func(*exec.Rows) error { return nil })
		if !errors.Is(err, boom) {
			t.Errorf("%s: %v, want boom", q, err)
		}
	}
}

func TestALimitEndsASubqueryEarly(t *testing.T) {
	sh := many()
	bound := bind(t, "SELECT f FROM (SELECT f FROM m) LIMIT 3", plan.Options{}, sh)
	rows := 0
	err := exec.Finish(t.Context(), bound, func(f *plan.Fragment) ([]exec.Stream, error) {
		first := exec.Pipe(model.TimeRange{Min: 0, Max: 9999}, func(ctx context.Context, emit func(*exec.Partial) error) error {
			return exec.RunFragment(ctx, sh.src, f, emit)
		})
		later := exec.Pipe(model.TimeRange{Min: 10000, Max: 20000}, func(context.Context, func(*exec.Partial) error) error {
			t.Error("the later shard was read")
			return nil
		})
		return []exec.Stream{first, later}, nil
	}, func(r *exec.Rows) error {
		rows += r.Len()
		return nil
	})
	if err != nil || rows != 3 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestReportsSayWhatWasRead(t *testing.T) {
	sh := many()
	bound := bind(t, "SELECT max(x) FROM (SELECT f AS x FROM m)", plan.Options{}, sh)
	bound.SetReport(plan.RunReport)
	var reports []*exec.Report
	err := exec.Finish(t.Context(), bound, func(f *plan.Fragment) ([]exec.Stream, error) {
		s := exec.Pipe(sh.times, func(ctx context.Context, emit func(*exec.Partial) error) error {
			return exec.RunFragment(ctx, sh.src, f, emit)
		})
		return []exec.Stream{exec.Reported(s, func(r *exec.Report) { reports = append(reports, r) })}, nil
	}, func(*exec.Rows) error { return nil })
	if err != nil || len(reports) != 1 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	if r := reports[0]; r.Series != 100 || r.Rows < 10_000 || r.Answered != 10_000 || r.Blocks[model.Float] < 1000 || r.Running <= 0 {
		t.Errorf("the report is %+v", r)
	}
}
