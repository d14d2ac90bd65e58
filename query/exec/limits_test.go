package exec_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
)

func bind(t testing.TB, q string, opt plan.Options, shards ...shard) *plan.Bound {
	t.Helper()
	stmt, err := influxql.ParseStatement(q)
	if err != nil {
		t.Fatal(err)
	}
	sel, err := plan.Compile(stmt.(*influxql.SelectStatement), opt)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := sel.Bind(schemas(shards))
	if err != nil {
		t.Fatal(err)
	}
	return bound
}

// many is a shard of 100 series with 100 rows each.
func many() shard {
	var rows []exectest.Row
	for s := range 100 {
		for i := range 100 {
			rows = append(rows, exectest.Row{
				Measurement: "m", Tags: model.Tags{{Key: "h", Value: strings.Repeat("x", s+1)}}, Time: int64(i * 10), Fields: map[string]any{"f": float64(i)},
			})
		}
	}
	return shard{model.AllTime, exectest.New(exectest.Options{GranuleRows: 10}, rows...)}
}

func TestLimitsGiveErrors(t *testing.T) {
	sh := many()
	for _, c := range []struct {
		q, want string
		opt     plan.Options
	}{
		{"SELECT f FROM m", "max-select-series limit exceeded: (100/50)", plan.Options{MaxSeries: 50}},
		{"SELECT f FROM m", "max-select-point limit exceeed: (60/55)", plan.Options{MaxPoints: 55}},
		{"SELECT f FROM m", "max-select-memory limit exceeded: (1120/1000)", plan.Options{MaxBytes: 1000}},
		{"SELECT mean(f) FROM m WHERE time >= 0 AND time < 100 GROUP BY time(1ns)", "max-select-buckets limit exceeded: (99/50)", plan.Options{MaxBuckets: 50}},
		{"SELECT mean(f) FROM m WHERE time < 200 GROUP BY time(1ns)", "max-select-buckets limit exceeded: (200/50)", plan.Options{MaxBuckets: 50}},
		{"SELECT mean(f) FROM m WHERE time < 200 GROUP BY time(1ns) ORDER BY time DESC", "max-select-buckets limit exceeded: (200/50)", plan.Options{MaxBuckets: 50}},
		{"SELECT mean(f) FROM m GROUP BY time(1ns)", "max-select-buckets limit exceeded: (", plan.Options{MaxBuckets: 50}},
		{"SELECT mean(f) FROM m WHERE time >= 0 AND time < 1000 GROUP BY time(1ns)", "max-select-memory limit exceeded: (1024/1000)", plan.Options{MaxBytes: 1000}},
		{"SELECT difference(mean(f)) FROM m WHERE time < 200 GROUP BY time(1ns)", "max-select-buckets limit exceeded: (200/50)", plan.Options{MaxBuckets: 50}},
		{"SELECT difference(mean(f)) FROM m WHERE time < 200 GROUP BY time(1ns) ORDER BY time DESC", "max-select-buckets limit exceeded: (200/50)", plan.Options{MaxBuckets: 50}},
		{"SELECT moving_average(f, 1000000) FROM m", "max-select-memory limit exceeded: (131072/100000)", plan.Options{MaxBytes: 100_000}},
	} {
		c.opt.Now = now
		_, err := tryRun(t, t.Context(), c.q, c.opt, sh)
		if err == nil || !errors.Is(err, model.ErrTooLarge) || !strings.HasPrefix(err.Error(), c.want[:strings.Index(c.want, "(")]) {
			t.Errorf("%s: %v, want %s", c.q, err, c.want)
		}
	}
}

func TestSeriesOfFewRowsCountWithWhatTheyTake(t *testing.T) {
	var rows []exectest.Row
	for i := range 1000 {
		rows = append(rows, exectest.Row{
			Measurement: "m", Tags: model.Tags{{Key: "h", Value: strconv.Itoa(i)}}, Time: 1, Fields: map[string]any{"f": 1.0},
		})
	}
	sh := shard{model.AllTime, exectest.New(exectest.Options{GranuleRows: 10}, rows...)}
	if _, err := tryRun(t, t.Context(), "SELECT f FROM m", plan.Options{MaxBytes: 100_000, Now: now}, sh); !errors.Is(err, model.ErrTooLarge) {
		t.Errorf("1000 series in 100 KB: %v, want %v", err, model.ErrTooLarge)
	}
	if _, err := tryRun(t, t.Context(), "SELECT f FROM m", plan.Options{MaxBytes: 2_000_000, Now: now}, sh); err != nil {
		t.Errorf("1000 series in 2 MB: %v", err)
	}
}

// longTexts is a shard of one series with 40 texts of 1 MB.
func longTexts() shard {
	text := strings.Repeat("x", 1<<20)
	var rows []exectest.Row
	for i := range 40 {
		rows = append(rows, exectest.Row{Measurement: "m", Time: int64(i), Fields: map[string]any{"s": text, "f": float64(i)}})
	}
	return shard{model.AllTime, exectest.New(exectest.Options{GranuleRows: 10}, rows...)}
}

func TestLongTextsCountAsMemory(t *testing.T) {
	sh := longTexts()
	for _, q := range []string{
		"SELECT last(s) FROM m WHERE time >= 0 AND time < 40 GROUP BY time(1ns)",
		"SELECT max(f), s FROM m WHERE time >= 0 AND time < 40 GROUP BY time(1ns)",
	} {
		if _, err := tryRun(t, t.Context(), q, plan.Options{MaxBytes: 20 << 20, Now: now}, sh); !errors.Is(err, model.ErrTooLarge) {
			t.Errorf("%s: %v, want too much memory", q, err)
		}
	}
}

func TestPiecesOfLongTextsAreShort(t *testing.T) {
	sh := longTexts()
	for _, q := range []string{"SELECT s FROM m", "SELECT s FROM m ORDER BY time DESC"} {
		bound := bind(t, q, plan.Options{}, sh)
		rows := 0
		err := exec.RunFragment(t.Context(), sh.src, bound.Fragments()[0], func(p *exec.Partial) error {
			rows += len(p.Times)
			if n := len(p.Columns[0].Text); n > 16<<20 {
				t.Errorf("%s: a partial has %d bytes of text", q, n)
			}
			return nil
		})
		if err != nil || rows != 40 {
			t.Errorf("%s: %d rows, %v", q, rows, err)
		}
	}
}

func TestWindowsBehindALimitDoNotCount(t *testing.T) {
	q := "SELECT mean(f) FROM m WHERE time < 200 GROUP BY time(1ns) LIMIT 3"
	if _, err := tryRun(t, t.Context(), q, plan.Options{MaxBuckets: 50, Now: now}, many()); err != nil {
		t.Errorf("%s: %v", q, err)
	}
}

func TestTheGreatestLimitIsNone(t *testing.T) {
	sh := oneShard(t, exectest.Options{}, "m f=1 0", "m f=2 10", "m f=4 20", "m f=8 30")
	for _, q := range []string{
		"SELECT difference(f) FROM m", "SELECT difference(f), cumulative_sum(f) FROM m", "SELECT f FROM m", "SELECT f FROM m GROUP BY h",
		"SELECT max(f), min(f) FROM m WHERE time >= 0 AND time < 40 GROUP BY time(10ns) fill(none)", "SELECT f FROM (SELECT f FROM m)",
		"SELECT max(f) FROM m WHERE time >= 0 AND time < 40 GROUP BY time(10ns)", "SELECT top(f, 3) FROM m",
	} {
		for _, end := range []string{"", " ORDER BY time DESC"} {
			if got, want := run(t, q+end+" LIMIT "+maxInt+" OFFSET 1", sh), run(t, q+end+" LIMIT 100 OFFSET 1", sh); got != want {
				t.Errorf("%s: got %s, want %s", q+end, got, want)
			}
		}
	}
}

func TestCancelledQueriesEnd(t *testing.T) {
	sh := many()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, q := range []string{"SELECT f FROM m", "SELECT mean(f) FROM m", "SELECT mean(f) FROM m WHERE time < 1000 GROUP BY time(10ns), h", "SELECT difference(f), mean(f) FROM m"} {
		if _, err := tryRun(t, ctx, q, plan.Options{Now: now}, sh); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want a cancelled context", q, err)
		}
	}
}

func TestEndlessWindowsEndWithTheQuery(t *testing.T) {
	sh := many()
	for _, call := range []string{"mean(f)", "cumulative_sum(count(f))", "difference(count(f)), count(f)"} {
		bound := bind(t, "SELECT "+call+" FROM m WHERE time >= 0 AND time < 1h GROUP BY time(1ns)", plan.Options{Now: now}, sh)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		open := func(f *plan.Fragment) ([]exec.Stream, error) {
			return []exec.Stream{exec.Pipe(sh.times, func(ctx context.Context, emit func(*exec.Partial) error) error {
				return exec.RunFragment(ctx, sh.src, f, emit)
			})}, nil
		}
		pieces := 0
		err := exec.Finish(ctx, bound, open, func(*exec.Rows) error {
			if pieces++; pieces == 3 {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v after %d pieces", call, err, pieces)
		}
	}
}

func TestAFailingShardFailsTheQuery(t *testing.T) {
	sh := many()
	boom := errors.New("boom")
	for _, q := range []string{"SELECT f FROM m", "SELECT f FROM m GROUP BY h", "SELECT mean(f) FROM m GROUP BY h", "SELECT mean(f) FROM m"} {
		bound := bind(t, q, plan.Options{Now: now}, sh)
		good := exec.Pipe(model.TimeRange{Min: 0, Max: 99999}, func(ctx context.Context, emit func(*exec.Partial) error) error {
			return exec.RunFragment(ctx, sh.src, bound.Fragments()[0], emit)
		})
		bad := exec.Pipe(model.TimeRange{Min: 100000, Max: 200000}, func(context.Context, func(*exec.Partial) error) error { return boom })
		err := exec.Finish(t.Context(), bound, opened(good, bad), func(*exec.Rows) error { return nil })
		if !errors.Is(err, boom) {
			t.Errorf("%s: %v, want boom", q, err)
		}
	}
}

func TestAFailingShardEndsTheWorkOfTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := many()
		boom := errors.New("boom")
		bound := bind(t, "SELECT mean(f) FROM m", plan.Options{Now: now}, sh)
		slow := exec.Pipe(model.TimeRange{Min: 0, Max: 99999}, func(ctx context.Context, _ func(*exec.Partial) error) error {
			<-ctx.Done() // for ever, unless somebody ends it
			return ctx.Err()
		})
		bad := exec.Pipe(model.TimeRange{Min: 100000, Max: 200000}, func(context.Context, func(*exec.Partial) error) error { return boom })
		err := exec.Finish(t.Context(), bound, opened(slow, bad), func(*exec.Rows) error { return nil })
		if !errors.Is(err, boom) {
			t.Errorf("%v, want boom", err)
		}
	})
}

func TestLimitedRawQueriesDoNotReadLaterShards(t *testing.T) {
	for _, column := range []string{"f", "cumulative_sum(f)"} {
		limitedQueryReadsOneShard(t, "SELECT "+column+" FROM m LIMIT 10")
	}
}

func limitedQueryReadsOneShard(t *testing.T, q string) {
	t.Helper()
	sh := many()
	bound := bind(t, q, plan.Options{}, sh)
	first := exec.Pipe(model.TimeRange{Min: 0, Max: 9999}, func(ctx context.Context, emit func(*exec.Partial) error) error {
		return exec.RunFragment(ctx, sh.src, bound.Fragments()[0], emit)
	})
	later := exec.Pipe(model.TimeRange{Min: 10000, Max: 20000}, func(context.Context, func(*exec.Partial) error) error {
		t.Error("the later shard was read")
		return nil
	})
	n := 0
	err := exec.Finish(t.Context(), bound, opened(later, first), func(r *exec.Rows) error { n += r.Len(); return nil })
	if err != nil || n != 10 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestPartialsOfAnotherShapeAreRefused(t *testing.T) {
	sh := many()
	bound := bind(t, "SELECT mean(f) FROM m", plan.Options{}, sh)
	bad := exec.Pipe(sh.times, func(_ context.Context, emit func(*exec.Partial) error) error {
		return emit(&exec.Partial{Times: []int64{0}})
	})
	err := exec.Finish(t.Context(), bound, opened(bad), func(*exec.Rows) error { return nil })
	if !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// opened gives streams to whatever fragment.
func opened(streams ...exec.Stream) exec.Open {
	return func(*plan.Fragment) ([]exec.Stream, error) { return streams, nil }
}

func TestPipeStopsWhatItRuns(t *testing.T) {
	ended := make(chan struct{})
	s := exec.Pipe(model.AllTime, func(ctx context.Context, emit func(*exec.Partial) error) error {
		defer close(ended)
		for {
			if err := emit(&exec.Partial{}); err != nil {
				return err
			}
		}
	})
	if _, err := s.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	<-ended
	if _, err := s.Next(t.Context()); !errors.Is(err, model.ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
	panics := exec.Pipe(model.AllTime, func(context.Context, func(*exec.Partial) error) error { panic("boom") })
	var p *exec.PanicError
	if _, err := panics.Next(t.Context()); !errors.As(err, &p) || p.Value != "boom" {
		t.Errorf("Next of a stream that panics: %v", err)
	}
	_ = panics.Close()
	empty := exec.Pipe(model.AllTime, func(context.Context, func(*exec.Partial) error) error { return nil })
	if _, err := empty.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("Next of an empty stream: %v", err)
	}
	_ = empty.Close()
}
