package tsm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/test/harness"
	"github.com/varvedb/varve/test/harness/kinds"
)

// BenchmarkScan reads all of TSBS's cpu data out of the files of a shard, series
// by series as queries do: decoded and summed, and from the statistics that lie
// beside the values. Both must give the same sum.
func BenchmarkScan(b *testing.B) {
	for _, shape := range []struct{ hosts, rows int }{{100, 4320}, {1000, 360}} {
		s := cpuShard(b, shape.hosts, shape.rows)
		r, err := s.Reader()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { r.Close() })
		series, err := r.Series("cpu", nil)
		if err != nil {
			b.Fatal(err)
		}
		sums := map[string]int64{}
		for _, how := range []string{"values", "statistics"} {
			for _, fields := range []int{1, 10} {
				name := fmt.Sprintf("%dx%d/fields=%d/%s", shape.hosts, shape.rows, fields, how)
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					o := ScanOptions{Series: series, Fields: r.Fields("cpu")[:fields], Range: model.AllTime}
					before := cpuTime(b)
					var sum int64
					var rows int
					for b.Loop() {
						sum, rows = scanSum(b, r, o, how == "statistics")
					}
					if rows != shape.hosts*shape.rows {
						b.Fatalf("%d rows, want %d", rows, shape.hosts*shape.rows)
					}
					sums[name] = sum
					perValue := float64(cpuTime(b)-before) / float64(b.N) / float64(rows*fields)
					b.ReportMetric(perValue, "cpu-ns/value")
					b.ReportMetric(1e3/perValue, "Mvalues/cpu-s")
				})
			}
		}
		for _, fields := range []int{1, 10} {
			name := fmt.Sprintf("%dx%d/fields=%d/", shape.hosts, shape.rows, fields)
			v, ok := sums[name+"values"]
			if st, both := sums[name+"statistics"]; ok && both && v != st {
				b.Errorf("%s: values sum up to %d, statistics to %d", name, v, st)
			}
		}
	}
}

// cpuTime gives the processor time of the process so far: unlike time on the
// clock it holds on a busy machine.
func cpuTime(b *testing.B) int64 {
	u, err := harness.ReadUsage(os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	return u.CPU.Nanoseconds()
}

// scanSum sums all fields of all rows. Granules without statistics are decoded.
func scanSum(b *testing.B, r *Reader, o ScanOptions, fromStats bool) (sum int64, rows int) {
	c := r.Scan(o)
	for {
		g, err := c.Next()
		if errors.Is(err, io.EOF) {
			return sum, rows
		}
		if err != nil {
			b.Fatal(err)
		}
		rows += g.Len()
		if fromStats {
			for f := range o.Fields {
				st, ok := g.Stats(f)
				if !ok {
					b.Fatalf("no statistics of series %d", g.Series())
				}
				sum += int64(st.Sum)
			}
			continue
		}
		_, columns, err := g.Load()
		if err != nil {
			b.Fatal(err)
		}
		for f := range columns {
			sum += sumOf(columns[f].Int64s())
		}
	}
}

// sumOf adds four values at a time, none of which waits for another.
func sumOf(values []int64) int64 {
	var a, b, c, d int64
	for len(values) >= 4 {
		a += values[0]
		b += values[1]
		c += values[2]
		d += values[3]
		values = values[4:]
	}
	for _, v := range values {
		a += v
	}
	return a + b + c + d
}

// cpuShard gives a shard in which TSBS's hosts are, in files as they stay.
func cpuShard(b *testing.B, hosts, rows int) *Shard {
	h := newHistory(1)
	s, err := Open(vfs.OS, b.TempDir()+"/1", h.config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	var cpu kinds.Kind
	for _, k := range kinds.All() {
		if k.Name == "TSBS cpu" {
			cpu = k
		}
	}
	const hostsAtATime = 10
	for first := 0; first < hosts; first += hostsAtATime {
		batch := &model.Batch{}
		table := model.Table{Measurement: "cpu"}
		for f, name := range harness.CPUFields {
			field := model.Column{Field: model.Field{Name: name, Type: model.Integer}}
			for host := first; host < first+hostsAtATime; host++ {
				field.Bits = append(field.Bits, cpu.Column(10*host+f, rows).Bits...)
			}
			table.Columns = append(table.Columns, field)
		}
		for host := range hostsAtATime {
			key := fmt.Appendf(nil, "cpu,hostname=host_%d", first+host)
			batch.Series = append(batch.Series, model.Series{Hash: model.HashSeriesKey(key, 1), Key: key})
			for row := range rows {
				table.Series = append(table.Series, uint32(host))
				table.Times = append(table.Times, int64(row)*10e9)
			}
		}
		batch.Tables = []model.Table{table}
		if err := s.Write(b.Context(), h.stamp(batch)); err != nil {
			b.Fatal(err)
		}
	}
	for _, settle := range []func() error{
		func() error { return s.Flush(b.Context()) },
		func() error { return s.Compact(b.Context()) },
	} {
		if err := settle(); err != nil {
			b.Fatal(err)
		}
	}
	return s
}
