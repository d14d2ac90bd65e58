package tsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// newShard gives an empty shard in memory, and who knows what it holds.
func newShard(t *testing.T, fs vfs.FS, change func(*Config)) (*Shard, *history) {
	t.Helper()
	h := newHistory(1)
	cfg := h.config()
	if change != nil {
		change(&cfg)
	}
	s, err := Open(fs, "shards/1", cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, model.ErrReadOnly) {
			t.Errorf("Close: %v", err)
		}
	})
	return s, h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// points makes a batch of one series with an integer field "v", v being the time.
func (h *history) points(key string, times ...int64) *model.Batch {
	name, _, _ := model.ParseSeriesKey([]byte(key))
	b := &model.Batch{Series: []model.Series{{Hash: model.HashSeriesKey([]byte(key), hashSeed), Key: []byte(key)}}}
	t := model.Table{Measurement: name, Columns: []model.Column{{Field: model.Field{Name: "v", Type: model.Integer}}}}
	for _, at := range times {
		t.Series = append(t.Series, 0)
		t.Times = append(t.Times, at)
		t.Columns[0].AppendBits(uint64(at))
	}
	b.Tables = []model.Table{t}
	return h.stamp(b)
}

func upTo(n int64) (times []int64) {
	for i := range n {
		times = append(times, i)
	}
	return times
}

func TestReaderSeesNothingThatIsNotSynced(t *testing.T) {
	mem := vfs.NewMem()
	var s *Shard
	armed, seen := false, -1
	fs := vfs.NewFailing(mem, func(op vfs.Op) error {
		if armed && op.Kind == vfs.OpSync {
			armed = false
			seen = len(read(t, s, model.AllTime))
		}
		return nil
	})
	s, h := newShard(t, fs, nil)
	h.write(t, s, h.points("m", 1, 2))
	armed = true
	h.write(t, s, h.points("m", 3))
	if seen != 2 {
		t.Errorf("a reader during the sync saw %d values, want the 2 of the batch before", seen)
	}
	h.check(t, s)
}

func TestFailedSyncLeavesShardReadOnlyAndItsBatchUnseen(t *testing.T) {
	fail := false
	fs := vfs.NewFailing(vfs.NewMem(), func(op vfs.Op) error {
		if fail && op.Kind == vfs.OpSync {
			return syscall.EIO
		}
		return nil
	})
	s, h := newShard(t, fs, nil)
	h.write(t, s, h.points("m", 1))
	fail = true
	for range 2 {
		if err := s.Write(context.Background(), h.points("m", 2)); !errors.Is(err, model.ErrReadOnly) {
			t.Errorf("Write with a failing sync: %v, want ErrReadOnly", err)
		}
	}
	fail = false
	if err := s.Flush(context.Background()); !errors.Is(err, model.ErrReadOnly) {
		t.Errorf("Flush after a failed sync: %v, want ErrReadOnly", err)
	}
	h.check(t, s)
}

func TestDuplicateBatchIsTakenOnce(t *testing.T) {
	fs := vfs.NewMem()
	s, h := newShard(t, fs, nil)
	b, d := h.points("m", 1), h.stamp(&model.Batch{Delete: &model.Delete{Range: model.AllTime}})
	h.write(t, s, b)
	h.write(t, s, d)
	must(t, s.Write(context.Background(), b))
	must(t, s.Flush(context.Background()))
	must(t, s.Close())
	s, err := Open(fs, "shards/1", h.config())
	must(t, err)
	defer s.Close()
	must(t, s.Write(context.Background(), b))
	must(t, s.Write(context.Background(), d))
	h.check(t, s)
	if n := s.Info().Rows; n != 0 {
		t.Errorf("%d rows after a deleted batch came again, want 0", n)
	}
}

func TestWriteAsksForKeysOfUnknownSeries(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	b := h.points("m,a=b", 1)
	b.Series[0].Key = nil
	if err := s.Write(context.Background(), b); !errors.Is(err, model.ErrNeedKeys) {
		t.Fatalf("Write without key: %v, want ErrNeedKeys", err)
	}
	b.Series[0].Key = []byte("m,a=b")
	must(t, s.Write(context.Background(), b))
	b = h.points("m,a=b", 2)
	b.Series[0].Key = nil
	must(t, s.Write(context.Background(), b))
}

func TestBatchThatADeleteHidesBringsNoSeriesIntoListings(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	h.write(t, s, h.points("m,a=b", 1))
	late := []*model.Batch{h.points("m,a=b", 2), h.points("m,a=new", 3)}
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.AllTime}}))
	for _, b := range late {
		h.write(t, s, b)
		h.check(t, s)
		h.checkListing(t, s)
	}
	h.write(t, s, h.points("m,a=b", 4))
	h.checkListing(t, s)
}

func TestUnstampedBatchIsRefused(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	b := h.points("m", 1)
	b.ID, b.Version = model.BatchID{}, model.Version{}
	if err := s.Write(context.Background(), b); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("Write: %v, want ErrInvalid", err)
	}
}

func TestBatchOlderThanTheFrontierIsRefused(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	old := h.points("m", 1)
	h.write(t, s, h.points("m", 1))
	h.now = h.now.Add(time.Second)
	must(t, s.Flush(context.Background()))
	if s.mu.files[0].meta.versioned {
		t.Fatal("a file that nothing overlaps and whose batches are old has versions")
	}
	if err := s.Write(context.Background(), old); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("Write of a batch from before: %v, want ErrUnavailable", err)
	}
	h.write(t, s, h.points("m", 1, 2))
	h.check(t, s)
}

func TestFullMemtablesRefuseRowsAndTakeDeletes(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), func(c *Config) { c.FlushBytes, c.MaxMemoryBytes = 1, 1 })
	h.write(t, s, h.points("m", 1))
	if err := s.Write(context.Background(), h.points("m", 2)); !errors.Is(err, model.ErrOverloaded) {
		t.Errorf("Write: %v, want ErrOverloaded", err)
	}
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.AllTime}}))
	must(t, s.Flush(context.Background()))
	h.write(t, s, h.points("m", 3))
	h.check(t, s)
}

func TestFullDiskRefusesWritesAndGoesOnReading(t *testing.T) {
	fs := vfs.NewMem()
	s, h := newShard(t, fs, func(c *Config) { c.ReservedBytes = 64 << 10 })
	h.write(t, s, h.points("m", upTo(500)...))
	fs.SetCapacity(fs.Used() + 32<<10)
	h.now = h.now.Add(time.Minute)
	if err := s.Write(context.Background(), h.points("m", 7)); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("Write below the reserve: %v, want ErrUnavailable", err)
	}
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: 0, Max: 9}}}))
	h.check(t, s)

	fs.SetCapacity(fs.Used() + 10)
	if err := s.Flush(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Flush on a full disk: %v, want ENOSPC", err)
	}
	h.check(t, s)
	fs.SetCapacity(1 << 30)
	h.now = h.now.Add(time.Minute)
	h.write(t, s, h.points("m", 7))
	must(t, s.Flush(context.Background()))
	h.check(t, s)
	if i := s.Info(); i.Hot || i.Files == 0 {
		t.Errorf("after the disk has room again: %+v", i)
	}
}

func TestEveryFailedOperationOfFlushAndCompactionIsHarmless(t *testing.T) {
	for n := int64(1); ; n++ {
		mem := vfs.NewMem()
		var hook func(vfs.Op) error
		s, h := newShard(t, vfs.NewFailing(mem, func(op vfs.Op) error {
			if hook != nil {
				return hook(op)
			}
			return nil
		}), nil)
		ctx := context.Background()
		h.write(t, s, h.points("m", upTo(50)...))
		must(t, s.Flush(ctx))
		h.write(t, s, h.points("m,a=b", upTo(50)...))
		h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: 0, Max: 9}}}))
		fired := false
		nth := vfs.FailNth(n, syscall.ENOSPC, vfs.OpCreate, vfs.OpWrite, vfs.OpSync, vfs.OpRename, vfs.OpSyncDir, vfs.OpRemove, vfs.OpOpen)
		hook = func(op vfs.Op) error {
			err := nth(op)
			fired = fired || err != nil
			return err
		}
		first := errors.Join(s.Flush(ctx), s.Compact(ctx))
		h.check(t, s)
		hook = nil
		if !errors.Is(first, model.ErrReadOnly) {
			if err := errors.Join(s.Flush(ctx), s.Compact(ctx)); err != nil && !errors.Is(err, model.ErrReadOnly) {
				t.Fatalf("operation %d failed (%v), the next attempt: %v", n, first, err)
			}
		}
		h.check(t, s)
		again, err := Open(mem.CrashClone(func() bool { return false }), "shards/1", h.config())
		if err != nil {
			t.Fatalf("operation %d failed (%v), then a crash: Open: %v", n, first, err)
		}
		h.check(t, again)
		must(t, again.Close())
		if !fired {
			t.Logf("failed each of %d operations", n-1)
			return
		}
	}
}

func TestDamagedFileFailsScansThatNeedIt(t *testing.T) {
	fs := vfs.NewMem()
	s, h := newShard(t, fs, nil)
	ctx := context.Background()
	h.write(t, s, h.points("m", upTo(2000)...))
	must(t, s.Flush(ctx))
	name := s.mu.files[0].name
	must(t, s.Close())
	clean, err := vfs.ReadFile(fs, name, 1<<20)
	must(t, err)
	rng := rand.New(rand.NewPCG(1, 1))
	failed := 0
	for range 200 {
		b := slices.Clone(clean)
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		must(t, vfs.WriteFile(fs, name, b))
		s, err := Open(fs, "shards/1", h.config())
		must(t, err)
		if failed += scanDamaged(t, s, 2000); s.Info().Quarantined > 1 {
			t.Error("one file counted twice")
		}
		h.write(t, s, h.points("other", 5))
		if err := s.Compact(ctx); err != nil && !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("Compact: %v, want nil or ErrCorrupt", err)
		}
		must(t, s.Close())
	}
	if failed == 0 {
		t.Error("no damage was noticed")
	}
	t.Logf("noticed %d of 200 flipped bits; the others lay where nothing was read", failed)
}

// scanDamaged wants all rows or an error of kind ErrCorrupt, which it counts.
func scanDamaged(t *testing.T, s *Shard, rows int) int {
	t.Helper()
	r, err := s.Reader()
	must(t, err)
	defer r.Close()
	ids, err := r.Series("m", nil)
	got := 0
	if err == nil {
		c := r.Scan(ScanOptions{Series: ids, Fields: []model.Field{{Name: "v", Type: model.Integer}}, Range: model.AllTime})
		for err == nil {
			var g *Granule
			if g, err = c.Next(); err == nil {
				var times []int64
				var columns []model.Column
				if times, columns, err = g.Load(); err == nil {
					for i, at := range times {
						if columns[0].Value(i) != at {
							t.Fatalf("value at %d is %v", at, columns[0].Value(i))
						}
					}
					got += len(times)
				}
			}
		}
	}
	if errors.Is(err, model.ErrCorrupt) {
		return 1
	}
	if err != io.EOF || got != rows {
		t.Fatalf("damaged file: %d rows, then %v; want %d or ErrCorrupt", got, err, rows)
	}
	return 0
}

func TestReaderKeepsItsViewThroughCompactionAndClose(t *testing.T) {
	fs := vfs.NewMem()
	s, h := newShard(t, fs, nil)
	ctx := context.Background()
	h.write(t, s, h.points("m", upTo(100)...))
	must(t, s.Flush(ctx))
	h.write(t, s, h.points("m", 200))
	r, err := s.Reader()
	must(t, err)
	want := len(h.content())
	h.write(t, s, h.points("m", 300))
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: 0, Max: 50}}}))
	must(t, s.Flush(ctx))
	must(t, s.Compact(ctx))
	must(t, s.Close())
	got := map[cell]any{}
	scan(t, r, ScanOptions{Series: []uint32{0}, Fields: []model.Field{{Name: "v", Type: model.Integer}}, Range: model.AllTime}, got)
	if len(got) != want {
		t.Errorf("the old reader sees %d values, want %d", len(got), want)
	}
	must(t, r.Close())
	must(t, r.Close())
	names, err := fs.List("shards/1")
	must(t, err)
	segments := 0
	for _, name := range names {
		if len(name) > 4 && name[len(name)-4:] == segmentSuffix {
			segments++
		}
	}
	if segments != 1 {
		t.Errorf("files after the reader let go: %v, want one segment", names)
	}
}

func TestDroppedMeasurementForgetsItsFields(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	ctx := context.Background()
	h.write(t, s, h.points("m", upTo(10)...))
	must(t, s.Flush(ctx))
	h.write(t, s, h.points("m", upTo(10)...))
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Where: model.IsMeasurement("m"), Range: model.AllTime}}))
	r, err := s.Reader()
	must(t, err)
	if m, f := r.Measurements(), r.Fields("m"); len(m) != 0 || len(f) != 0 {
		t.Errorf("after DROP MEASUREMENT: %v with %v", m, f)
	}
	must(t, r.Close())
	b := h.points("m", 3)
	b.Tables[0].Columns[0].Field = model.Field{Name: "w", Type: model.Unsigned}
	h.write(t, s, b)
	r, err = s.Reader()
	must(t, err)
	defer r.Close()
	if f := r.Fields("m"); len(f) != 1 || f[0].Name != "w" {
		t.Errorf("fields after a new write: %v, want w alone", f)
	}
}

func TestConcurrentWritersReadersAndMaintenance(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Open(fs, "shards/1", DefaultConfig())
	must(t, err)
	ctx := context.Background()
	var wg sync.WaitGroup
	var stamping sync.Mutex
	seq := uint64(0)
	const writers, batches, rows = 4, 30, 50
	for w := range writers {
		wg.Go(func() {
			h := newHistory(uint64(w + 1))
			for i := range int64(batches) {
				var times []int64
				for j := range int64(rows) {
					times = append(times, i*rows+j)
				}
				b := h.points(fmt.Sprintf("m,w=%d", w), times...)
				stamping.Lock()
				seq++
				b.ID = model.BatchID{Origin: 1, Epoch: 1, Seq: seq}
				b.Version = model.Version{HLC: model.NewHLC(time.Now()), ID: b.ID}
				stamping.Unlock()
				if err := s.Write(ctx, b); err != nil {
					t.Errorf("Write: %v", err)
				}
			}
		})
	}
	stop := make(chan struct{})
	var background sync.WaitGroup
	for range 2 {
		background.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if n := len(read(t, s, model.AllTime)); n%rows != 0 {
					t.Errorf("a reader saw %d values: part of a batch", n)
				}
			}
		})
	}
	for _, work := range []func(context.Context) error{s.Flush, s.compactTier, s.Compact} {
		background.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := work(ctx); err != nil {
					t.Errorf("maintenance: %v", err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	background.Wait()
	if n := len(read(t, s, model.AllTime)); n != writers*batches*rows {
		t.Errorf("%d values, want %d", n, writers*batches*rows)
	}
	must(t, s.Close())
}

func TestWorkerFlushesBySizeAndRewritesColdShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorker(WorkerConfig{})
		cfg := DefaultConfig()
		cfg.Worker, cfg.FlushBytes, cfg.ReservedBytes = w, 1000, 0
		cfg.End = time.Now().Add(time.Minute).UnixNano()
		s, err := Open(vfs.NewMem(), "shards/1", cfg)
		must(t, err)
		h := newHistory(1)
		for i := range int64(4) {
			h.now = time.Now()
			h.write(t, s, h.points("m", upTo(100+i)...))
			time.Sleep(5 * time.Second)
			synctest.Wait()
		}
		if i := s.Info(); i.Hot || i.Files == 0 {
			t.Errorf("a memtable over its size was not flushed: %+v", i)
		}
		h.now = time.Now()
		h.write(t, s, h.points("m", 1))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if i := s.Info(); i.Hot || i.Files != 1 || i.Rows != 103 {
			t.Errorf("a shard that is over and idle: %+v, want one file of 103 rows", i)
		}
		h.check(t, s)
		must(t, s.Close())
		must(t, w.Close())
	})
}
