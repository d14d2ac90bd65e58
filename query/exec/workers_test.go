package exec_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
)

// hosts gives rows of 100 series, some of them at the same times.
func hosts(t *rapid.T) []exectest.Row {
	var rows []exectest.Row
	step := rapid.IntRange(1, 7).Draw(t, "step")
	for h := range 100 {
		for i := range rapid.IntRange(0, 30).Draw(t, "rows") {
			x := (h*31 + i*17) % 23
			fields := map[string]any{"f": float64(x), "i": int64(x)}
			if x%5 == 0 {
				delete(fields, "f")
			}
			if x%3 == 0 {
				fields["s"] = fmt.Sprint("s", x)
			}
			rows = append(rows, exectest.Row{
				Measurement: "m", Tags: model.Tags{{Key: "h", Value: fmt.Sprint(h)}, {Key: "r", Value: fmt.Sprint(h % 3)}},
				Time: int64(i*step + h%2), Fields: fields,
			})
		}
	}
	return rows
}

func drawAboutHosts(t *rapid.T) string {
	q := "SELECT " + rapid.SampledFrom([]string{
		"mean(i), count(f)", "mean(f)", "max(f)", "max(i), f, h", "min(i), s", "first(i)", "last(f)", "last(f), h", "spread(i)", "stddev(f)",
		"percentile(f, 90)", "median(i), mode(s)", "distinct(i)", "count(distinct(s))", "*", "f, h", "i", "f + i",
	}).Draw(t, "columns") + " FROM m" + rapid.SampledFrom([]string{
		"", " WHERE f > 11", " WHERE i <= 4.5 AND h != '7'", " WHERE 20 < i OR f = 3", " WHERE time >= 5 AND time < 90",
	}).Draw(t, "where")
	return q
}

func TestSeveralWorkersGiveWhatOneGives(t *testing.T) {
	workers := exec.NewWorkers(3)
	rapid.Check(t, func(rt *rapid.T) {
		rows := hosts(rt)
		if len(rows) == 0 {
			return
		}
		q := drawAboutHosts(rt) + rapid.SampledFrom([]string{"", " GROUP BY h", " GROUP BY r", " GROUP BY *"}).Draw(rt, "group")
		q += rapid.SampledFrom([]string{"", " LIMIT 1", " ORDER BY time DESC", " ORDER BY time DESC LIMIT 1", " LIMIT 7 OFFSET 2", " SLIMIT 40"}).Draw(rt, "end")
		src := exectest.New(exectest.Options{GranuleRows: rapid.IntRange(1, 20).Draw(rt, "granule")}, rows...)
		one := run(t, q, shard{model.AllTime, src})
		many := run(t, q, shard{model.AllTime, crowded{src, workers}})
		if one != many {
			rt.Fatalf("%s\none  %s\nmany %s", q, one, many)
		}
	})
}

// TestALimitGivesTheFirstRows asks for windows with a limit and without.
func TestALimitGivesTheFirstRows(t *testing.T) {
	workers := exec.NewWorkers(3)
	rapid.Check(t, func(rt *rapid.T) {
		rows := hosts(rt)
		if len(rows) == 0 {
			return
		}
		q := "SELECT " + rapid.SampledFrom([]string{"max(f)", "count(i)", "last(s)", "mean(f)", "min(i), h", "count(f) + 1"}).Draw(rt, "call") + " FROM m" +
			rapid.SampledFrom([]string{"", " WHERE time >= -5 AND time < 150", " WHERE f > 20"}).Draw(rt, "where") +
			" GROUP BY time(" + rapid.SampledFrom([]string{"1ns", "3ns", "40ns"}).Draw(rt, "every") + ")" +
			rapid.SampledFrom([]string{"", ", r", ", h"}).Draw(rt, "tags") +
			rapid.SampledFrom([]string{"", " fill(none)", " fill(previous)", " fill(linear)", " fill(3)"}).Draw(rt, "fill") +
			rapid.SampledFrom([]string{"", " ORDER BY time DESC"}).Draw(rt, "order")
		limit := rapid.IntRange(1, 8).Draw(rt, "limit")
		sources := byTime(rows, exectest.Options{GranuleRows: rapid.IntRange(1, 20).Draw(rt, "granule")}, 60)
		for i := range sources {
			sources[i].src = crowded{sources[i].src, workers}
		}
		all := run(t, fmt.Sprintf("%s LIMIT %d", q, 1_000_000), sources...)
		if got, want := run(t, fmt.Sprintf("%s LIMIT %d", q, limit), sources...), firstRows(all, limit); got != want {
			rt.Fatalf("%s LIMIT %d\ngot  %s\nwant %s", q, limit, got, want)
		}
	})
}

// firstRows leaves the first rows of each series of a result that is text.
func firstRows(result string, n int) string {
	var out strings.Builder
	for line := range strings.Lines(result) {
		rows := strings.SplitAfter(strings.TrimSuffix(line, "\n"), "]")
		out.WriteString(strings.Join(rows[:min(n, len(rows)-1)], "") + "\n")
	}
	return out.String()
}

func TestAWorkerThatFailsEndsTheOthers(t *testing.T) {
	boom := errors.New("boom")
	src := newTape(500, 3, false)
	for _, q := range []string{"SELECT mean(f) FROM m GROUP BY h", "SELECT f FROM m GROUP BY h", "SELECT max(f) FROM m", "SELECT f FROM m"} {
		f := bind(t, q, plan.Options{Now: now}, oneShard(t, exectest.Options{}, "m,h=0 f=1 0")).Fragments()[0]
		partials := 0
		err := exec.NewWorkers(3).RunFragment(t.Context(), src, f, func(*exec.Partial) error {
			if partials++; partials > 5 || f.GroupBy == nil {
				return boom
			}
			return nil
		})
		if !errors.Is(err, boom) {
			t.Errorf("%s: %v, want boom", q, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = exec.NewWorkers(3).RunFragment(ctx, src, f, func(*exec.Partial) error {
			cancel()
			return nil
		})
		if f.GroupBy != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want a cancelled context", q, err)
		}
	}
}
