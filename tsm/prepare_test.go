package tsm

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// prepare carries the series of one shard over into another.
func prepare(t testing.TB, from, to *Shard) int {
	t.Helper()
	r, err := from.Reader()
	must(t, err)
	n, err := to.Prepare(context.Background(), r.Live())
	must(t, err)
	must(t, r.Close())
	return n
}

func TestPreparedSeriesAreKnownButNotListedUntilWritten(t *testing.T) {
	mem := vfs.NewMem()
	old, h := newShard(t, mem, nil)
	for i := range int64(40) {
		h.write(t, old, h.points(fmt.Sprint("m,b=", i), i))
		if i == 20 {
			must(t, old.Flush(t.Context()))
		}
	}
	g := newHistory(7)
	g.late = false
	open := func() *Shard {
		s, err := Open(mem, "next", g.config())
		must(t, err)
		return s
	}
	next := open()
	g.write(t, next, g.points("m,b=3", 1000))
	if n := prepare(t, old, next); n != 39 {
		t.Errorf("%d series were new, want 39", n)
	}
	if n := prepare(t, old, next); n != 0 {
		t.Errorf("%d series were new the second time", n)
	}
	for range 2 {
		g.check(t, next)
		g.checkListing(t, next)
		if n := next.Info().Series; n != 1 {
			t.Errorf("%d series are counted, want 1", n)
		}
		if next.index.Len() != 40 || next.index.Kept() != 40 {
			t.Errorf("%d series are known, %d of them in files; want 40", next.index.Len(), next.index.Kept())
		}
		must(t, next.Close())
		next = open()
	}
	// Without keys: they are known.
	b := g.points("m,b=30", 2000)
	whole := b.Series
	b.Series = []model.Series{{Hash: whole[0].Hash}}
	must(t, next.Write(t.Context(), b))
	b.Series = whole
	g.taken = append(g.taken, b)
	g.check(t, next)
	g.checkListing(t, next)
	// The log has the key, whatever becomes of the index file.
	next2, err := Open(mem.CrashClone(func() bool { return false }), "next", g.config())
	must(t, err)
	g.check(t, next2)
	g.checkListing(t, next2)
	must(t, next2.Close())
	must(t, next.Close())
}

func TestSeriesPreparedBeforeOneThatFailsAreNotListed(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	series := h.points("m,b=1", 1).Series
	bad := []byte("not, canonical")
	_, err := s.Prepare(t.Context(), func(yield func(model.SeriesHash, []byte) bool) {
		_ = yield(series[0].Hash, series[0].Key) && yield(model.HashSeriesKey(bad, hashSeed), bad)
	})
	if !errors.Is(err, model.ErrInvalid) {
		t.Errorf("Prepare of a series %q: %v, want ErrInvalid", bad, err)
	}
	h.write(t, s, h.points("m,b=2", 1))
	h.checkListing(t, s)
	if n := s.Info().Series; n != 1 {
		t.Errorf("%d series are counted, want the one that was written to", n)
	}
}

// BenchmarkFirstWrites is the writing of one row of 100,000 series into a shard
// that knows none of them, and into one that was prepared.
func BenchmarkFirstWrites(b *testing.B) {
	const series, rows = 100_000, 5000
	old := newBenchShard(b, "old")
	for i := 0; i < series; i += rows {
		must(b, old.Write(b.Context(), seriesBatch(i, rows, 1)))
	}
	for _, prepared := range []bool{false, true} {
		b.Run(fmt.Sprint("prepared=", prepared), func(b *testing.B) {
			for i := range b.N {
				b.StopTimer()
				s := newBenchShard(b, fmt.Sprint("next", prepared, b.N, i))
				if prepared {
					prepare(b, old, s)
				}
				var batches []*model.Batch
				for i := 0; i < series; i += rows {
					batches = append(batches, seriesBatch(i, rows, 2))
				}
				b.StartTimer()
				for _, batch := range batches {
					must(b, s.Write(b.Context(), batch))
				}
				b.StopTimer()
				must(b, s.Close())
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/series, "ns/series")
		})
	}
	must(b, old.Close())
}

func newBenchShard(b *testing.B, name string) *Shard {
	cfg := DefaultConfig()
	cfg.ReservedBytes = 0
	cfg.Hash = func(key []byte) model.SeriesHash { return model.HashSeriesKey(key, hashSeed) }
	s, err := Open(vfs.NewMem(), name, cfg)
	must(b, err)
	return s
}

var benchSeq uint64

// seriesBatch makes a row of each of some series with ten tags.
func seriesBatch(first, n int, time int64) *model.Batch {
	b := &model.Batch{}
	t := model.Table{Measurement: "cpu", Columns: []model.Column{{Field: model.Field{Name: "usage", Type: model.Integer}}}}
	for i := first; i < first+n; i++ {
		key := fmt.Appendf(nil, "cpu,arch=x%d,datacenter=eu-west-1%d,hostname=host_%d,os=Ubuntu%d,rack=%d,region=eu-west-%d,service=%d,service_environment=test%d,service_version=%d,team=T%d",
			i%2, i%3, i, i%3, i*7%100, i%9, i%20, i%3, i%2, i%4)
		t.Series = append(t.Series, uint32(len(b.Series)))
		b.Series = append(b.Series, model.Series{Hash: model.HashSeriesKey(key, hashSeed), Key: key})
		t.Times = append(t.Times, time)
		t.Columns[0].AppendBits(uint64(i))
	}
	b.Tables = []model.Table{t}
	benchSeq++
	b.ID = model.BatchID{Origin: 1, Epoch: 1, Seq: benchSeq}
	b.Version = model.Version{HLC: model.HLC(1<<50 + benchSeq), ID: b.ID}
	return b
}
