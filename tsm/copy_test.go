package tsm

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// counted gives what a counter without labels stands at.
func counted(t testing.TB, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// steady gives times of a collector, every ten seconds.
func steady(from, n int64) (times []int64) {
	for i := range n {
		times = append(times, (from+i)*int64(10*time.Second))
	}
	return times
}

// Of steady writes, flushed now and then, a merge decodes no more than the
// granules that the flushes have cut in two.
func TestMergeOfSteadyWritesCopiesWhatFlushesHaveNotCut(t *testing.T) {
	reg := prometheus.NewRegistry()
	s, h := newShard(t, vfs.NewMem(), func(c *Config) { c.Metrics = NewMetrics(reg) })
	ctx := context.Background()
	const files, rows = 4, 2000
	for i := range int64(files) {
		for _, key := range []string{"m,a=1", "m,a=2"} {
			h.write(t, s, h.points(key, steady(i*rows, rows)...))
		}
		h.now = h.now.Add(time.Minute)
		must(t, s.Flush(ctx))
	}
	must(t, s.compactTier(ctx))
	i := s.Info()
	if i.Files != 1 || i.Levels[1] != 1 {
		t.Fatalf("after a merge: %+v", i)
	}
	copied := counted(t, reg, "tsm_copied_rows_total")
	t.Logf("%.0f of %d rows copied", copied, i.Rows)
	if copied < float64(i.Rows)*7/10 {
		t.Errorf("%.0f of %d rows were copied", copied, i.Rows)
	}
	h.check(t, s)
	must(t, s.Compact(ctx))
	if i := s.Info(); i.Levels[levels-1] != 1 {
		t.Errorf("after a rewrite: %+v", i)
	}
	h.check(t, s)
}

// Whatever overlaps, is overwritten, deleted or waits for its frontier: a merge
// that copies changes nothing that can be read, nor what later writes find.
func TestMergesThatCopyKeepEveryCell(t *testing.T) {
	for _, seed := range seeds(30) {
		t.Log("-seed", seed)
		rng := rand.New(rand.NewPCG(seed, 3))
		s, h := newShard(t, vfs.NewMem(), func(c *Config) { c.CompactFiles = 2 })
		ctx := context.Background()
		at := int64(0)
		for range 12 {
			for _, key := range []string{"m,a=1", "m,a=2", "n"} {
				if rng.IntN(3) == 0 {
					continue
				}
				from := at
				if rng.IntN(4) == 0 {
					from -= rng.Int64N(at + 1)
				}
				b := h.points(key, steady(from, 1+rng.Int64N(900))...)
				for i := range b.Tables[0].Columns[0].Bits {
					b.Tables[0].Columns[0].Bits[i] = rng.Uint64N(1000)
				}
				h.write(t, s, b)
			}
			at += rng.Int64N(1500)
			switch rng.IntN(6) {
			case 0:
				low := rng.Int64N(at+1) * int64(10*time.Second)
				h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: low, Max: low + rng.Int64N(1e13)}}}))
			case 1, 2:
				h.now = h.now.Add(time.Duration(rng.IntN(20)) * time.Second)
				fallthrough
			case 3:
				must(t, s.Flush(ctx))
			case 4:
				must(t, s.compactTier(ctx))
			case 5:
				h.now = h.now.Add(time.Duration(rng.IntN(3)) * time.Hour)
				must(t, s.applyDeletes(ctx))
			}
		}
		must(t, s.Flush(ctx))
		h.check(t, s)
		must(t, s.compactTier(ctx))
		h.check(t, s)
		h.now = h.now.Add(time.Minute)
		must(t, s.Compact(ctx))
		h.check(t, s)
	}
}
