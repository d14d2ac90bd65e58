package tsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// collectors makes batches as agents of many hosts send them: rows of all of
// them every ten seconds, with integers that wander as those of TSBS do.
type collectors struct {
	keys   [][]byte
	values [][]float64 // per host and field
	fields []model.Field
	rng    *rand.Rand
	seq    uint64
}

func newCollectors(hosts, fields int) *collectors {
	c := &collectors{rng: rand.New(rand.NewPCG(1, 2))}
	for i := range fields {
		c.fields = append(c.fields, model.Field{Name: fmt.Sprintf("usage_%02d", i), Type: model.Integer})
	}
	for i := range hosts {
		c.keys = append(c.keys, fmt.Appendf(nil, "cpu,host=host_%05d", i))
		values := make([]float64, fields)
		for k := range values {
			values[k] = 100 * c.rng.Float64()
		}
		c.values = append(c.values, values)
	}
	return c
}

// round gives the rows of some hosts at one moment.
func (c *collectors) round(from, to int, at int64, now time.Time) *model.Batch {
	c.seq++
	id := model.BatchID{Origin: 1, Epoch: 1, Seq: c.seq}
	b := &model.Batch{ID: id, Version: model.Version{HLC: model.NewHLC(now), ID: id}}
	t := model.Table{Measurement: "cpu"}
	for _, f := range c.fields {
		t.Columns = append(t.Columns, model.Column{Field: f})
	}
	for i := from; i < to; i++ {
		b.Series = append(b.Series, model.Series{Hash: model.HashSeriesKey(c.keys[i], hashSeed), Key: c.keys[i]})
		t.Series = append(t.Series, uint32(i-from))
		t.Times = append(t.Times, at)
		for k := range c.fields {
			v := min(max(c.values[i][k]+c.rng.NormFloat64(), 0), 100)
			c.values[i][k] = v
			t.Columns[k].AppendBits(uint64(v))
		}
	}
	b.Tables = []model.Table{t}
	return b
}

// What is written for a value on its way into a file that is kept, the debt on
// the way, and what each step takes of a processor: 20 million values of 1,000
// series into one shard whose time is then over.
func BenchmarkWriteAmplification(b *testing.B) {
	const hosts, fields, rounds = 1000, 10, 2000
	const values = hosts * fields * rounds
	ctx := context.Background()
	for b.Loop() {
		now := time.UnixMilli(1_700_000_000_000)
		cfg := DefaultConfig()
		cfg.Now = func() time.Time { return now }
		cfg.End = now.Add(rounds * 10 * time.Second).UnixNano()
		reg := prometheus.NewRegistry()
		cfg.FlushBytes, cfg.ReservedBytes, cfg.Metrics = 32<<20, 0, NewMetrics(reg)
		s, err := Open(vfs.NewMem(), "shards/1", cfg)
		if err != nil {
			b.Fatal(err)
		}
		c := newCollectors(hosts, fields)
		var log, flushed, merged, cold int64
		var flushing, merging, rewriting int64
		debt, most := int64(0), 0
		timed := func(total *int64, f func(context.Context) error) {
			start := cpuTime(b)
			if err := f(ctx); err != nil {
				b.Fatal(err)
			}
			*total += cpuTime(b) - start
		}
		size := func() (n int64) {
			for _, f := range s.mu.files {
				n += f.meta.size
			}
			return n
		}
		for i := range int64(rounds) {
			for at := 0; at < hosts; at += 500 {
				batch := c.round(at, at+500, now.UnixNano(), now)
				if err := s.Write(ctx, batch); err != nil {
					b.Fatal(err)
				}
			}
			now = now.Add(10 * time.Second)
			if s.due()[flushWork] > 0 || i == rounds-1 {
				before := size()
				log += s.wal.Size()
				timed(&flushing, s.Flush)
				flushed += size() - before
			}
			for s.due()[mergeWork] > 0 {
				debt, most = max(debt, s.Info().DebtBytes), max(most, s.Info().Files)
				known := map[*file]bool{}
				for _, f := range s.mu.files {
					known[f] = true
				}
				timed(&merging, s.compactTier)
				for _, f := range s.mu.files {
					if !known[f] {
						merged += f.meta.size
					}
				}
			}
		}
		now = now.Add(time.Minute)
		timed(&rewriting, s.Compact)
		cold = size()
		perValue := func(n int64, what string) { b.ReportMetric(float64(n)/values, what) }
		perValue(log, "log-B/value")
		perValue(flushed, "flush-B/value")
		perValue(merged, "merge-B/value")
		perValue(cold, "cold-B/value")
		perValue(log+flushed+merged+cold, "written-B/value")
		perValue(flushing, "flush-cpu-ns/value")
		perValue(merging, "merge-cpu-ns/value")
		b.ReportMetric(counted(b, reg, "tsm_copied_rows_total")*fields/values, "copied/value")
		perValue(rewriting, "cold-cpu-ns/value")
		b.ReportMetric(float64(debt), "most-debt-B")
		b.ReportMetric(float64(most), "most-files")
		b.ReportMetric(float64(s.Info().Files), "cold-files")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
