package data

import (
	"fmt"
	"testing"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
	"github.com/varvedb/varve/tsm"
)

// BenchmarkMeanByHour asks for means of an integer over an hour each, of 1,000
// series of four hours, a row every 10 s, by statistics and by values.
func BenchmarkMeanByHour(b *testing.B) {
	const series, rows = 1000, 1440
	cfg := tsm.DefaultConfig()
	cfg.ReservedBytes = 0
	shard, err := tsm.Open(vfs.OS, b.TempDir()+"/1", cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer shard.Close()
	for s := range series {
		key := fmt.Appendf(nil, "cpu,host=h%03d", s)
		table := model.Table{Measurement: "cpu", Columns: []model.Column{{Field: model.Field{Name: "i", Type: model.Integer}}}}
		v := uint64(50)
		for i := range rows {
			v += uint64((i*i+s)%3) - 1
			table.Series = append(table.Series, 0)
			table.Times = append(table.Times, int64(i)*10e9)
			table.Columns[0].AppendBits(v)
		}
		id := model.BatchID{Origin: 1, Epoch: 1, Seq: uint64(s + 1)}
		err := shard.Write(b.Context(), &model.Batch{
			ID: id, Version: model.Version{HLC: model.NewHLC(time.Unix(1e9, int64(s)*1e6)), ID: id},
			Series: []model.Series{{Hash: model.HashSeriesKey(key, 1), Key: key}}, Tables: []model.Table{table},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := shard.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := shard.Compact(b.Context()); err != nil {
		b.Fatal(err)
	}
	r, err := shard.Reader()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	src := source{r, func(string) []model.Field { return nil }}
	stmt, err := influxql.ParseStatement("SELECT mean(i) FROM cpu WHERE time >= 0 AND time < 4h GROUP BY time(1h)")
	if err != nil {
		b.Fatal(err)
	}
	sel, err := plan.Compile(stmt.(*influxql.SelectStatement), plan.Options{Now: time.Unix(1e9, 0)})
	if err != nil {
		b.Fatal(err)
	}
	bound, err := sel.Bind([]plan.Schema{{Database: "db", Policy: "rp", Name: "cpu", Fields: src.Fields("cpu"), TagKeys: []string{"host"}}})
	if err != nil {
		b.Fatal(err)
	}
	for _, never := range []bool{false, true} {
		name := "statistics"
		if never {
			name = "values"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			s := &summed{Source: src, never: never}
			for b.Loop() {
				if err := exec.RunFragment(b.Context(), s, bound.Fragments()[0], func(*exec.Partial) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(series*rows), "ns/value")
			b.ReportMetric(float64(s.given)/float64(b.N), "statistics/op")
		})
	}
}
