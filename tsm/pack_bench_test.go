package tsm

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/arena"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// BenchmarkPack puts rows in order and encodes them in memory; BenchmarkFlush
// writes memtables that are packed, as most are under load, to a file.
func BenchmarkPack(b *testing.B) { benchmarkPacked(b, false) }

func BenchmarkFlush(b *testing.B) { benchmarkPacked(b, true) }

func benchmarkPacked(b *testing.B, flush bool) {
	for _, load := range []struct{ series, rows, fields int }{{1000, 600, 10}, {100_000, 6, 10}, {1000, 3000, 1}} {
		b.Run(fmt.Sprintf("%dx%dx%d", load.series, load.rows, load.fields), func(b *testing.B) {
			values, size := 0, int64(0)
			for b.Loop() {
				b.StopTimer()
				cfg := DefaultConfig()
				cfg.ReservedBytes, cfg.Arena = 0, arena.New(64<<20)
				cfg.End = 0
				s, err := Open(vfs.NewMem(), "s", cfg)
				if err != nil {
					b.Fatal(err)
				}
				h := newHistory(1)
				pack := func() {
					if !flush {
						b.StartTimer()
						defer b.StopTimer()
					}
					if err := s.Pack(); err != nil {
						b.Fatal(err)
					}
				}
				for at := 0; at < load.series*load.rows; at += 10_000 {
					h.now = h.now.Add(time.Second)
					batch := hostBatch(min(load.series, 10_000), 10_000)
					batch.Tables[0].Columns = batch.Tables[0].Columns[:load.fields]
					for i := range batch.Tables[0].Times {
						r := at + i
						batch.Tables[0].Times[i] = int64(r/load.series) * 1e10
						for f := range batch.Tables[0].Columns {
							batch.Tables[0].Columns[f].Bits[i] = 50 + (uint64(r)*2654435761>>(f+3))%7
						}
					}
					if load.series > 10_000 {
						renumber(batch, at%load.series)
					}
					if err := s.Write(context.Background(), h.stamp(batch)); err != nil {
						b.Fatal(err)
					}
					values += 10_000 * load.fields
					if s.Held().Unpacked >= cfg.PackBytes {
						pack()
					}
				}
				pack()
				size = s.Held().Bytes
				if flush {
					h.now = h.now.Add(time.Minute)
					b.StartTimer()
					if err := s.Flush(context.Background()); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					size = s.mu.files[0].meta.size
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(values), "ns/value")
			b.ReportMetric(float64(size)*float64(b.N)/float64(values), "B/value")
		})
	}
}

// renumber gives the series of a batch other hosts.
func renumber(b *model.Batch, from int) {
	for i := range b.Series {
		key := fmt.Appendf(nil, "cpu,host=host_%d", from+i)
		b.Series[i] = model.Series{Hash: model.HashSeriesKey(key, 1), Key: key}
	}
}
