package exec_test

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/influxdata/influxql"
	"pgregory.net/rapid"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
)

// drawRows draws the rows of a few series. Values are small whole numbers, so
// that sums do not depend on their order.
func drawRows(t *rapid.T) []exectest.Row {
	var rows []exectest.Row
	n := rapid.IntRange(1, 80).Draw(t, "rows")
	for range n {
		row := exectest.Row{Measurement: "m", Time: int64(rapid.IntRange(-50, 200).Draw(t, "time")), Fields: map[string]any{}}
		if h := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "h"); h != "" {
			row.Tags = append(row.Tags, model.Tag{Key: "h", Value: h})
		}
		if r := rapid.SampledFrom([]string{"", "x"}).Draw(t, "r"); r != "" {
			row.Tags = append(row.Tags, model.Tag{Key: "r", Value: r})
		}
		x := rapid.IntRange(-9, 9).Draw(t, "value")
		for _, f := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"f", "i", "s", "b"}), 1, 4, rapid.ID).Draw(t, "fields") {
			row.Fields[f] = map[string]any{"f": float64(x), "i": int64(x), "s": fmt.Sprint("s", x), "b": x%2 == 0}[f]
		}
		rows = append(rows, row)
	}
	return rows
}

// untied gives every row a time of its own: rows of different series with one
// time have no order of their own.
func untied(rows []exectest.Row) []exectest.Row {
	for i := range rows {
		rows[i].Time = int64(i*37%len(rows))*3 - 50
	}
	taken := map[int64]bool{}
	for i := range rows {
		for taken[rows[i].Time] {
			rows[i].Time++
		}
		taken[rows[i].Time] = true
	}
	return rows
}

func drawAggregates(t *rapid.T) string {
	calls := []string{
		"count(f)", "count(s)", "sum(f)", "sum(i)", "mean(i)", "mean(f)", "spread(f)", "spread(i)",
		"min(f)", "max(i)", "min(b)", "first(f)", "last(i)", "first(s)", "last(s)", "first(b)", "last(b)",
		"median(f)", "percentile(i, 40)", "mode(f)", "mode(s)", "count(distinct(s))", "count(distinct(i))",
	}
	q := "SELECT "
	for i, c := range rapid.SliceOfN(rapid.SampledFrom(calls), 1, 4).Draw(t, "calls") {
		if i > 0 {
			q += ", "
		}
		q += c
	}
	return q + drawRest(t, true)
}

func drawSelector(t *rapid.T) string {
	return "SELECT " + rapid.SampledFrom([]string{"min", "max", "first", "last"}).Draw(t, "f") + "(f), f" + drawRest(t, true)
}

func drawTransformation(t *rapid.T) string {
	if rapid.Bool().Draw(t, "nested") {
		calls := rapid.SliceOfN(rapid.SampledFrom([]string{
			"difference(sum(i))", "derivative(max(i), 1ns)", "elapsed(last(s))", "cumulative_sum(count(f))", "moving_average(min(i), 2)",
			"difference(difference(sum(i)))", "difference(distinct(f))", "sum(i)", "count(s)",
		}), 1, 3).Draw(t, "calls")
		return "SELECT " + strings.Join(calls, ", ") + " FROM m WHERE time >= -20 AND time < 150" +
			rapid.SampledFrom([]string{" GROUP BY time(10ns)", " GROUP BY time(7ns, 3ns), h"}).Draw(t, "group") +
			rapid.SampledFrom([]string{"", " fill(none)", " fill(previous)", " fill(linear)", " fill(3)"}).Draw(t, "fill") + drawOrder(t)
	}
	calls := rapid.SliceOfN(rapid.SampledFrom([]string{
		"difference(f)", "non_negative_derivative(i, 1ns)", "elapsed(s)", "cumulative_sum(i)", "moving_average(f, 3)", "sum(i)", "max(f)",
	}), 1, 3).Draw(t, "calls")
	return "SELECT " + strings.Join(calls, ", ") + drawRest(t, false)
}

func drawBest(t *rapid.T) string {
	return "SELECT " + rapid.SampledFrom([]string{
		"top(f, 2)", "bottom(i, 3), s", "top(f, h, 2)", "bottom(f, r, h, 4), i", "top(i, 1), *", "bottom(f, nosuch, 2)",
		"integral(f, 10ns)", "percentile(f, 60), i", "sample(i, 100)", "exponential_moving_average(f, 3)",
	}).Draw(t, "f") + drawRest(t, false)
}

func drawRaw(t *rapid.T) string {
	return "SELECT " + rapid.SampledFrom([]string{"f", "*", "f, i, h", "f + i, s"}).Draw(t, "columns") + drawRest(t, false)
}

func drawRest(t *rapid.T, windows bool) string {
	q := " FROM m" + rapid.SampledFrom([]string{
		"", " WHERE time >= 0 AND time < 150", " WHERE time >= -20 AND time < 100 AND h != 'a'", " WHERE f > 0 OR h = 'b'",
		" WHERE i + f > 3 AND time < 180", " WHERE s =~ /[12]/ AND b = true",
	}).Draw(t, "where")
	if windows {
		q += rapid.SampledFrom([]string{
			"", " GROUP BY h", " GROUP BY time(10ns) fill(none)", " GROUP BY time(7ns, 3ns), h fill(none)", " GROUP BY time(1000ns), * fill(none)",
			" GROUP BY time(30ns) fill(linear)",
		}).Draw(t, "group")
	} else {
		q += rapid.SampledFrom([]string{"", " GROUP BY h", " GROUP BY *"}).Draw(t, "group")
	}
	return q + drawOrder(t)
}

func drawOrder(t *rapid.T) (q string) {
	if rapid.Bool().Draw(t, "descending") {
		q += " ORDER BY time DESC"
	}
	if rapid.IntRange(0, 3).Draw(t, "limited") == 0 {
		q += " LIMIT 5 OFFSET 1"
	}
	return q
}

// byTime splits rows into shards of times that do not overlap.
func byTime(rows []exectest.Row, opt exectest.Options, width int64) []shard {
	var shards []shard
	for lo := int64(-100); lo < 300; lo += width {
		r := model.TimeRange{Min: lo, Max: lo + width - 1}
		var part []exectest.Row
		for _, row := range rows {
			if r.Contains(row.Time) {
				part = append(part, row)
			}
		}
		if part != nil {
			shards = append(shards, shard{r, exectest.New(opt, part...)})
		}
	}
	return shards
}

// bySeries splits rows into shards of all times with different series.
func bySeries(rows []exectest.Row, opt exectest.Options) []shard {
	var parts [2][]exectest.Row
	for _, row := range rows {
		i := len(row.Tags) % 2
		parts[i] = append(parts[i], row)
	}
	var shards []shard
	for _, p := range parts {
		if p != nil {
			shards = append(shards, shard{model.AllTime, exectest.New(opt, p...)})
		}
	}
	return shards
}

func TestMergedShardsEqualTheWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := untied(drawRows(rt))
		q := rapid.OneOf(
			rapid.Custom(drawAggregates), rapid.Custom(drawSelector), rapid.Custom(drawRaw), rapid.Custom(drawTransformation), rapid.Custom(drawBest),
		).Draw(rt, "query")
		opt := exectest.Options{GranuleRows: rapid.IntRange(1, 20).Draw(rt, "granule")}
		whole := run(t, q, shard{model.AllTime, exectest.New(opt, rows...)})
		split := run(t, q, byTime(rows, opt, int64(rapid.IntRange(20, 200).Draw(rt, "width")))...)
		if whole != split {
			rt.Fatalf("%s\nwhole %s\nsplit %s", q, whole, split)
		}
	})
}

func TestShardsOfTheSameTimesMerge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := untied(drawRows(rt))
		q := rapid.OneOf(
			rapid.Custom(drawAggregates), rapid.Custom(drawSelector), rapid.Custom(drawRaw), rapid.Custom(drawTransformation), rapid.Custom(drawBest),
		).Draw(rt, "query")
		opt := exectest.Options{GranuleRows: rapid.IntRange(1, 20).Draw(rt, "granule")}
		whole := run(t, q, shard{model.AllTime, exectest.New(opt, rows...)})
		split := run(t, q, bySeries(rows, opt)...)
		if whole != split {
			rt.Fatalf("%s\nwhole %s\nsplit %s", q, whole, split)
		}
	})
}

// TestJoinedCallsGiveWhatSharedWindowsGive adds a call that never has a value:
// with it the calls are joined one by one.
func TestJoinedCallsGiveWhatSharedWindowsGive(t *testing.T) {
	lastValue := regexp.MustCompile(` [^ \[\]]+\]`)
	rapid.Check(t, func(rt *rapid.T) {
		rows := untied(drawRows(rt))
		q, _, _ := strings.Cut(rapid.Custom(drawAggregates).Draw(rt, "query"), " LIMIT")
		q = strings.ReplaceAll(q, "fill(none)", rapid.SampledFrom([]string{"", "fill(none)", "fill(previous)", "fill(3)"}).Draw(rt, "fill"))
		q = strings.Replace(q, "SELECT ", "SELECT count(b), ", 1) // one selector alone would have its point's time
		sh := shard{model.AllTime, exectest.New(exectest.Options{GranuleRows: 10}, rows...)}
		shared := run(t, q, sh)
		joined := run(t, strings.Replace(q, " FROM", ", mean(nope) AS nope FROM", 1), sh)
		joined = strings.ReplaceAll(lastValue.ReplaceAllString(joined, "]"), " nope:", ":")
		if shared != joined {
			rt.Fatalf("%s\nshared %s\njoined %s", q, shared, joined)
		}
	})
}

func TestStatisticsGiveWhatRowsGive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := drawRows(rt)
		q := rapid.OneOf(rapid.Custom(drawAggregates), rapid.Custom(drawSelector)).Draw(rt, "query")
		granule := rapid.IntRange(1, 20).Draw(rt, "granule")
		by := run(t, q, shard{model.AllTime, exectest.New(exectest.Options{GranuleRows: granule}, rows...)})
		read := run(t, q, shard{model.AllTime, exectest.New(exectest.Options{GranuleRows: granule, NoStats: true}, rows...)})
		if by != read {
			rt.Fatalf("%s\nby statistics %s\nby rows       %s", q, by, read)
		}
	})
}

func TestAggregatesOfWholeGranulesLoadNothing(t *testing.T) {
	var rows []exectest.Row
	for i := range 10_000 {
		rows = append(rows, exectest.Row{Measurement: "m", Time: int64(i), Fields: map[string]any{"f": float64(i)}})
	}
	src := exectest.New(exectest.Options{GranuleRows: 100}, rows...)
	for _, c := range []struct {
		q    string
		most int64
	}{
		{"SELECT mean(f), min(f), max(f), spread(f), count(f), first(f), last(f) FROM m WHERE time < 10000 GROUP BY time(1000ns)", 0},
		{"SELECT mean(f) FROM m WHERE time >= 50 AND time < 9950 GROUP BY time(1000ns)", 2},
		{"SELECT first(f) FROM m", 0},
		{"SELECT last(f) FROM m", 0},
		{"SELECT min(f) FROM m", 1}, // its time is in the granule
		{"SELECT last(f), f FROM m", 1},
	} {
		src.Loaded.Store(0)
		run(t, c.q, shard{model.AllTime, src})
		if n := src.Loaded.Load(); n > c.most {
			t.Errorf("%s loaded %d granules, want at most %d", c.q, n, c.most)
		}
	}
}

// TestExpressionsAgreeWithTheEvaluatorOfInfluxQL computes random expressions
// row by row with influxql's own evaluator.
func TestExpressionsAgreeWithTheEvaluatorOfInfluxQL(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		// A row with all fields, since a name that is no field would be a tag.
		rows := append(drawRows(rt), exectest.Row{Measurement: "m", Fields: map[string]any{"f": 1.5, "i": int64(-3), "s": "s1", "b": true}})
		for i := range rows {
			rows[i].Time, rows[i].Tags = int64(i), nil
		}
		cond := drawCondition(rt, 3)
		expr, err := influxql.ParseExpr(cond)
		if err != nil {
			rt.Fatal(err)
		}
		got := run(t, "SELECT i, f FROM m WHERE "+cond, shard{model.AllTime, exectest.New(exectest.Options{GranuleRows: 7}, rows...)})
		want := ""
		for i, row := range rows {
			if row.Fields["i"] == nil && row.Fields["f"] == nil || !influxql.EvalBool(expr, row.Fields) {
				continue
			}
			show := func(v any) string {
				if v == nil {
					return "null"
				}
				return fmt.Sprint(v)
			}
			want += fmt.Sprintf(" [%d %s %s]", i, show(row.Fields["i"]), show(row.Fields["f"]))
		}
		if want != "" {
			want = "m time i f:" + want + "\n"
		}
		if got != want {
			rt.Fatalf("WHERE %s\n got %s\nwant %s", cond, got, want)
		}
	})
}

func drawCondition(t *rapid.T, depth int) string {
	if depth > 0 && rapid.Bool().Draw(t, "logic") {
		return "(" + drawCondition(t, depth-1) + rapid.SampledFrom([]string{" AND ", " OR "}).Draw(t, "op") + drawCondition(t, depth-1) + ")"
	}
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"b = true", "b != true", "b = false", "b != false", "b > false"}).Draw(t, "boolean")
	case 1:
		return rapid.SampledFrom([]string{"s = 's1'", "s != 's1'", "s =~ /[13]/", "s !~ /[13]/", "s > 's1'", "s = 1", "i = 'x'"}).Draw(t, "text")
	}
	number := func() string {
		n := rapid.SampledFrom([]string{"i", "f", "i + f", "i * 2", "f / i", "i / 4", "i % 3", "f - 0.5", "i & 3", "2", "1.5", "(i - 1) * (i + 1)"}).Draw(t, "number")
		return n
	}
	left := rapid.SampledFrom([]string{"i", "f", "i + f", "i / 4", "f / i", "i % 3"}).Draw(t, "left")
	return left + rapid.SampledFrom([]string{" = ", " != ", " < ", " <= ", " > ", " >= "}).Draw(t, "comparison") + number()
}

func TestSumsOfFloatsAreInOrderOfTime(t *testing.T) {
	var rows []exectest.Row
	want := 0.0
	for i := range 1000 {
		x := 1 / float64(i+1)
		want += x
		rows = append(rows, exectest.Row{Measurement: "m", Time: int64(i), Fields: map[string]any{"f": x}})
	}
	src := exectest.New(exectest.Options{NoStats: true}, rows...)
	bound := bind(t, "SELECT sum(f) FROM m", plan.Options{}, shard{model.AllTime, src})
	var got float64
	err := exec.RunFragment(t.Context(), src, bound.Fragments()[0], func(p *exec.Partial) error {
		got = math.Float64frombits(p.Columns[1].Bits[0])
		return nil
	})
	if err != nil || got != want {
		t.Errorf("sum is %v, %v; want %v", got, err, want)
	}
}
