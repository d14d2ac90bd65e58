package exec_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
)

// recorded is a Stream of partials that were made before.
type recorded struct{ partials []*exec.Partial }

func (r *recorded) Range() model.TimeRange {
	return model.TimeRange{Min: model.MinTime, Max: model.MaxTime}
}

func (r *recorded) Next(context.Context) (*exec.Partial, error) {
	if len(r.partials) == 0 {
		return nil, io.EOF
	}
	p := *r.partials[0]
	p.Columns = slices.Clone(p.Columns)
	r.partials = r.partials[1:]
	return &p, nil
}

func (r *recorded) Close() error { return nil }

func BenchmarkFinish(b *testing.B) {
	schema := oneShard(b, exectest.Options{}, "m,h=0 f=1 0")
	for _, c := range []struct{ name, q string }{
		{"OneAggregate", "SELECT mean(f) FROM m WHERE time >= 0 AND time < 100000s GROUP BY time(1m), h"},
		{"FiveAggregates", "SELECT mean(f), max(f), min(f), count(f), sum(f) FROM m WHERE time >= 0 AND time < 100000s GROUP BY time(1m), h fill(none)"},
		{"Raw", "SELECT f FROM m GROUP BY h"},
		{"RawByTime", "SELECT f FROM m"},
		{"DerivativeOfMean", "SELECT derivative(mean(f), 1s) FROM m WHERE time >= 0 AND time < 100000s GROUP BY time(1m), h"},
		{"Difference", "SELECT difference(f) FROM m GROUP BY h"},
		{"DifferenceAndMean", "SELECT difference(f), mean(f) FROM m GROUP BY h"},
	} {
		b.Run(c.name, func(b *testing.B) {
			bound := bind(b, c.q, plan.Options{Now: time.Unix(1e6, 0)}, schema)
			src := newTape(20, 10, false)
			partials := map[*plan.Fragment][]*exec.Partial{}
			for _, f := range bound.Fragments() {
				if err := exec.RunFragment(b.Context(), src, f, func(p *exec.Partial) error {
					partials[f] = append(partials[f], p)
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
			open := func(f *plan.Fragment) ([]exec.Stream, error) { return []exec.Stream{&recorded{partials[f]}}, nil }
			rows := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := exec.Finish(b.Context(), bound, open, func(r *exec.Rows) error { rows += r.Len(); return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
