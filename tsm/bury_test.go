package tsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// manySeries makes a batch with rows of series "m,host=N" at the times that
// times gives.
func (h *history) manySeries(n int, times func(series int) []int64) *model.Batch {
	b := &model.Batch{}
	t := model.Table{Measurement: "m", Columns: []model.Column{{Field: model.Field{Name: "v", Type: model.Integer}}}}
	for i := range n {
		key := fmt.Appendf(nil, "m,host=%07d", i)
		b.Series = append(b.Series, model.Series{Hash: model.HashSeriesKey(key, hashSeed), Key: key})
		for _, at := range times(i) {
			t.Series = append(t.Series, uint32(i))
			t.Times = append(t.Times, at)
			t.Columns[0].AppendBits(uint64(at))
		}
	}
	b.Tables = []model.Table{t}
	return h.stamp(b)
}

func (h *history) deletion(from, to int64) *model.Batch {
	return h.stamp(&model.Batch{Delete: &model.Delete{Where: model.IsMeasurement("m"), Range: model.TimeRange{Min: from, Max: to}}})
}

// The series that a delete of many leaves without rows are found by the ends of
// granules, by decoding, and in memory, among rows that came after the delete.
func TestSeriesThatDeletesLeaveWithoutRowsAreNotListed(t *testing.T) {
	for _, seed := range seeds(4) {
		rng := rand.New(rand.NewPCG(seed, 9))
		s, h := newShard(t, vfs.NewMem(), func(c *Config) { c.FlushBytes, c.MaxMemoryBytes = 1<<30, 1<<30 })
		const n = maxSeriesAtOnce + 500
		left := make([]map[int64]bool, n)
		write := func() {
			b := h.manySeries(n, func(i int) (times []int64) {
				if left[i] == nil {
					left[i] = map[int64]bool{}
				}
				for range rng.IntN(3) {
					at := rng.Int64N(10)
					times = append(times, at)
					left[i][at] = true
				}
				return times
			})
			must(t, s.Write(context.Background(), b))
		}
		remove := func(from, to int64) {
			must(t, s.Write(context.Background(), h.deletion(from, to)))
			for i := range left {
				for at := from; at <= to; at++ {
					delete(left[i], at)
				}
			}
		}
		check := func(when string) {
			t.Helper()
			r, err := s.Reader()
			must(t, err)
			defer r.Close()
			got, err := r.Series("m", nil)
			must(t, err)
			listed := map[string]bool{}
			for _, id := range got {
				listed[r.Tags(id).Get("host")] = true
			}
			for i := range left {
				if host := fmt.Sprintf("%07d", i); listed[host] != (len(left[i]) > 0) {
					t.Fatalf("-seed %d: %s: series %s listed %v, times left %v", seed, when, host, listed[host], left[i])
				}
			}
		}
		write()
		write()
		must(t, s.Flush(context.Background()))
		write()
		check("before")
		remove(3, 6)
		check("after a delete")
		write()
		must(t, s.Flush(context.Background()))
		remove(0, 4)
		check("after a second delete")
		must(t, s.Compact(context.Background()))
		check("after compaction")
		remove(5, 9)
		check("after the third")
		remove(0, 9)
		check("after the last")
		write()
		check("written again")
	}
}

func TestDeleteOfManySeriesIsSearchedInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorker(WorkerConfig{})
		defer w.Close()
		s, h := newShard(t, vfs.NewMem(), func(c *Config) {
			c.Worker, c.FlushBytes, c.MaxMemoryBytes = w, 1<<30, 1<<30
		})
		must(t, s.Write(t.Context(), h.manySeries(2*maxSeriesAtOnce, func(i int) []int64 { return []int64{int64(i % 2)} })))
		must(t, s.Flush(t.Context()))
		must(t, s.Write(t.Context(), h.deletion(1, 1)))
		synctest.Wait()
		if n := s.Info().Series; n != maxSeriesAtOnce {
			t.Errorf("%d series are listed, want %d", n, maxSeriesAtOnce)
		}
		must(t, s.Close())
	})
}

// Rows that come later than a delete that hides them, as from an owner that was
// cut off, must not cost more the more deletes there are.
func BenchmarkLateBatchUnderDeletes(b *testing.B) {
	for _, deletes := range []int{0, 10, 3000} {
		b.Run(fmt.Sprint("deletes=", deletes), func(b *testing.B) {
			s, h := benchShard(b)
			times := func(i int) []int64 { return []int64{int64(i)} }
			if err := s.Write(b.Context(), h.manySeries(1000, times)); err != nil {
				b.Fatal(err)
			}
			var late []*model.Batch
			for range 300 {
				late = append(late, h.manySeries(1000, times))
			}
			for i := range deletes {
				d := h.stamp(&model.Batch{Delete: &model.Delete{
					Where: &model.Predicate{Op: model.Equal, Key: "host", Value: fmt.Sprintf("%07d", i%1000)},
					Range: model.TimeRange{Min: int64(i), Max: int64(i + 10)},
				}})
				if err := s.Write(b.Context(), d); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			for i := 0; i < b.N && i < len(late); i++ {
				if err := s.Write(b.Context(), late[i]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A delete of a range must not cost more the more there are of the same series.
func BenchmarkDeletesOfRanges(b *testing.B) {
	const rows = 500_000
	for _, flushed := range []bool{false, true} {
		for _, deletes := range []int64{0, 2000, 8000} {
			b.Run(fmt.Sprintf("flushed=%v/deletes=%d", flushed, deletes), func(b *testing.B) {
				s, h := benchShard(b)
				if err := s.Write(b.Context(), h.points("m", upTo(rows)...)); err != nil {
					b.Fatal(err)
				}
				if flushed {
					if err := s.Flush(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				at := int64(0)
				remove := func() {
					if err := s.Write(b.Context(), h.deletion(at, at)); err != nil {
						b.Fatal(err)
					}
					at += 5
				}
				for range deletes {
					remove()
				}
				for b.Loop() {
					remove()
				}
			})
		}
	}
}

// What a client waits for that drops a measurement of a million series, one row
// of each in a file and one in memory.
func BenchmarkDropOfMillionSeries(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s, h := benchShard(b)
		for flush := range 2 {
			if err := s.Write(b.Context(), h.manySeries(1_000_000, func(i int) []int64 { return []int64{int64(flush)} })); err != nil {
				b.Fatal(err)
			}
			if flush == 0 {
				if err := s.Flush(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		}
		d := h.deletion(model.MinTime, model.MaxTime)
		after := h.manySeries(1000, func(int) []int64 { return []int64{5} })
		if err := s.Write(b.Context(), after); err != nil { // newer than the delete
			b.Fatal(err)
		}
		b.StartTimer()
		if err := s.Write(b.Context(), d); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if n := s.Info().Series; n != 1000 {
			b.Fatalf("%d series are left", n)
		}
		b.StartTimer()
	}
}

// A delete must not be forgotten by a flush that ends while the shard is closed,
// when nobody has looked for the series that it leaves without rows.
func TestSearchThatIsGivenUpIsMadeAgain(t *testing.T) {
	mem := vfs.NewMem()
	s, h := newShard(t, mem, nil)
	h.write(t, s, h.points("m", 1))
	h.write(t, s, h.points("m,host=1", 100))
	must(t, s.Flush(t.Context()))
	s.closing.Store(true)
	h.write(t, s, h.deletion(0, 10))
	if !s.unsearched() {
		t.Error("a search that was given up counts as made")
	}
	must(t, s.Close())
	s, err := Open(mem, "shards/1", h.config())
	must(t, err)
	h.checkListing(t, s)
	must(t, s.Close())
}

func benchShard(b *testing.B) (*Shard, *history) {
	h := newHistory(1)
	cfg := h.config()
	cfg.FlushBytes, cfg.MaxMemoryBytes = 1<<40, 1<<40
	s, err := Open(vfs.NewMem(), "shards/1", cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s, h
}
