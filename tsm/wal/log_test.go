package wal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/wal"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func keyOf(h model.SeriesHash) []byte { return fmt.Appendf(nil, "m,series=%d", h.Lo) }

// newBatch gives batch seq with rows of the given series.
func newBatch(seq uint64, series ...uint64) *model.Batch {
	id := model.BatchID{Origin: 1, Epoch: 2, Seq: seq}
	b := &model.Batch{ID: id, Version: model.Version{HLC: model.HLC(seq), ID: id}}
	t := model.Table{Measurement: "m", Columns: []model.Column{{Field: model.Field{Name: "f", Type: model.Integer}}}}
	for i, s := range series {
		b.Series = append(b.Series, model.Series{Hash: model.SeriesHash{Lo: s}})
		t.Series = append(t.Series, uint32(i))
		t.Times = append(t.Times, int64(seq)*1000+int64(i))
		t.Columns[0].AppendBits(seq ^ s)
	}
	b.Tables = []model.Table{t}
	return b
}

func testConfig() wal.Config {
	cfg := wal.DefaultConfig()
	cfg.Metrics = wal.NewMetrics(nil)
	return cfg
}

// replayed is what a log gave back.
type replayed struct {
	batches []*model.Batch
	files   []wal.FileID
}

func (r *replayed) replay(f wal.FileID, b *model.Batch) error {
	r.batches = append(r.batches, b)
	r.files = append(r.files, f)
	return nil
}

func (r *replayed) seqs() []uint64 {
	var seqs []uint64
	for _, b := range r.batches {
		seqs = append(seqs, b.ID.Seq)
	}
	return seqs
}

func open(t *testing.T, fs vfs.FS, cfg wal.Config) (*wal.Log, *replayed) {
	t.Helper()
	r := &replayed{}
	l, err := wal.Open(fs, "shard/log", cfg, r.replay)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l, r
}

// add appends batches of series 1 and makes them durable.
func add(t *testing.T, l *wal.Log, seqs ...uint64) {
	t.Helper()
	for _, seq := range seqs {
		lsn, err := l.Append(newBatch(seq, 1), keyOf)
		must(t, err)
		must(t, l.Sync(lsn))
	}
}

func wantSeqs(t *testing.T, r *replayed, want ...uint64) {
	t.Helper()
	if diff := cmp.Diff(want, r.seqs()); diff != "" {
		t.Errorf("replayed batches (-want +got):\n%s", diff)
	}
}

func TestSyncedBatchesAreReplayedInOrder(t *testing.T) {
	m := vfs.NewMem()
	l, r := open(t, m, testConfig())
	wantSeqs(t, r)
	add(t, l, 1, 2, 3)
	_, r = open(t, m.CrashClone(nil), testConfig())
	wantSeqs(t, r, 1, 2, 3)
	want := newBatch(2, 1)
	if diff := cmp.Diff(want, r.batches[1]); diff != "" {
		t.Errorf("batch 2 (-want +got):\n%s", diff)
	}
}

func TestUnsyncedBatchesMayBeLost(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1)
	_, err := l.Append(newBatch(2, 1), keyOf)
	must(t, err)
	_, r := open(t, m.CrashClone(nil), testConfig())
	wantSeqs(t, r, 1)
}

func TestCloseMakesDurable(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	_, err := l.Append(newBatch(1, 1), keyOf)
	must(t, err)
	must(t, l.Close())
	must(t, l.Close())
	if _, err := l.Append(newBatch(2, 1), keyOf); !errors.Is(err, model.ErrClosed) {
		t.Errorf("Append after Close = %v", err)
	}
	must(t, l.Sync(1))
	_, r := open(t, m.CrashClone(nil), testConfig())
	wantSeqs(t, r, 1)
}

func TestDeleteIsReplayed(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	d := &model.Batch{Delete: &model.Delete{Where: model.IsMeasurement("m"), Range: model.TimeRange{Min: 1, Max: 2}}}
	lsn, err := l.Append(d, nil)
	must(t, err)
	must(t, l.Sync(lsn))
	_, r := open(t, m.CrashClone(nil), testConfig())
	if diff := cmp.Diff([]*model.Batch{d}, r.batches); diff != "" {
		t.Error(diff)
	}
}

func TestDeleteThatCannotBeReadBackIsRefused(t *testing.T) {
	l, _ := open(t, vfs.NewMem(), testConfig())
	where := model.IsMeasurement("m")
	for range 2000 {
		where = model.AllOf(where, model.IsMeasurement("n"))
	}
	if _, err := l.Append(&model.Batch{Delete: &model.Delete{Where: where}}, nil); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("Append = %v, want ErrInvalid", err)
	}
}

func TestEachFileHasTheKeysOfItsSeries(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	asked := 0
	key := func(h model.SeriesHash) []byte { asked++; return keyOf(h) }
	appendRotate := func(seq uint64, series ...uint64) {
		_, err := l.Append(newBatch(seq, series...), key)
		must(t, err)
	}
	appendRotate(1, 7, 8)
	appendRotate(2, 8, 9)
	_, err := l.Rotate()
	must(t, err)
	appendRotate(3, 9)
	must(t, l.Close())
	if asked != 4 {
		t.Errorf("asked for %d keys, want 4", asked)
	}
	_, r := open(t, m, testConfig())
	var got []string
	for i, b := range r.batches {
		for _, s := range b.Series {
			got = append(got, fmt.Sprintf("%d:%s", r.files[i], s.Key))
		}
	}
	want := []string{"1:m,series=7", "1:m,series=8", "1:", "1:m,series=9", "2:m,series=9"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys in the log (-want +got):\n%s", diff)
	}
}

func TestKeysAreWrittenAgainWhenTooManySeriesAreKnown(t *testing.T) {
	cfg := testConfig()
	cfg.SeriesPerFile = 2
	m := vfs.NewMem()
	l, _ := open(t, m, cfg)
	for seq := range uint64(20) {
		_, err := l.Append(newBatch(seq, seq%5), keyOf)
		must(t, err)
	}
	must(t, l.Close())
	_, r := open(t, m, cfg)
	for _, b := range r.batches {
		if b.Series[0].Key == nil {
			t.Errorf("batch %d: key forgotten and not written again", b.ID.Seq)
		}
	}
}

func TestMissingKeyIsAskedFor(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	if _, err := l.Append(newBatch(1, 1), func(model.SeriesHash) []byte { return nil }); !errors.Is(err, model.ErrNeedKeys) {
		t.Errorf("Append without key = %v, want ErrNeedKeys", err)
	}
	b := newBatch(2, 1)
	b.Series[0].Key = []byte("m,given=1")
	lsn, err := l.Append(b, nil)
	must(t, err)
	must(t, l.Sync(lsn))
	_, r := open(t, m.CrashClone(nil), testConfig())
	wantSeqs(t, r, 2)
	if string(r.batches[0].Series[0].Key) != "m,given=1" {
		t.Errorf("key = %q", r.batches[0].Series[0].Key)
	}
}

func TestBatchesBeyondTheBoundsAreRefused(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	long := newBatch(1, 1)
	c := model.Column{Field: model.Field{Name: "s", Type: model.String}}
	text := make([]byte, 65<<20)
	rnd := rand.NewChaCha8([32]byte{})
	rnd.Read(text)
	c.AppendText(text)
	long.Tables[0].Columns = []model.Column{c}
	wide := newBatch(2, 1)
	n := model.MaxBatchBytes/12 + 1
	wide.Tables[0] = model.Table{Series: make([]uint32, n), Times: make([]int64, n)}
	for _, b := range []*model.Batch{long, wide} {
		if _, err := l.Append(b, keyOf); !errors.Is(err, model.ErrTooLarge) {
			t.Errorf("Append of batch %d = %v, want ErrTooLarge", b.ID.Seq, err)
		}
	}
	add(t, l, 3)
	_, r := open(t, m.CrashClone(nil), testConfig())
	wantSeqs(t, r, 3)
}

func TestTrimRemovesWholeFilesAndNeverReusesAnID(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	if id, err := l.Rotate(); id != 0 || err != nil {
		t.Errorf("Rotate of an empty log = %d, %v", id, err)
	}
	add(t, l, 1, 2)
	id, err := l.Rotate()
	if id != 1 || err != nil {
		t.Errorf("Rotate = %d, %v; want 1", id, err)
	}
	if id, err := l.Rotate(); id != 1 || err != nil {
		t.Errorf("Rotate without new batches = %d, %v; want 1", id, err)
	}
	add(t, l, 3)
	must(t, l.Trim(id))
	must(t, l.Trim(id))
	c := m.CrashClone(nil)
	_, r := open(t, c, testConfig())
	wantSeqs(t, r, 3)

	id, err = l.Rotate()
	must(t, err)
	must(t, l.Trim(id))
	if l.Size() > 100 {
		t.Errorf("Size = %d after all was trimmed", l.Size())
	}
	c = m.CrashClone(nil)
	l, r = open(t, c, testConfig())
	wantSeqs(t, r)
	add(t, l, 4)
	id, err = l.Rotate()
	if id != 3 || err != nil {
		t.Errorf("Rotate after all was trimmed = %d, %v; want 3", id, err)
	}
	_, r = open(t, c.CrashClone(nil), testConfig())
	wantSeqs(t, r, 4)
}

func TestLSNGoesOnAfterRestart(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1, 2)
	must(t, l.Close())
	l, _ = open(t, m, testConfig())
	lsn, err := l.Append(newBatch(3, 1), keyOf)
	if lsn != 3 || err != nil {
		t.Errorf("Append = %d, %v; want 3", lsn, err)
	}
}

func TestLongFilesAreFollowedByNewOnes(t *testing.T) {
	cfg := testConfig()
	cfg.FileBytes = 200
	m := vfs.NewMem()
	l, _ := open(t, m, cfg)
	add(t, l, 1, 2, 3, 4, 5, 6)
	names, err := m.List("shard/log")
	must(t, err)
	if len(names) < 3 {
		t.Errorf("files: %v", names)
	}
	_, r := open(t, m.CrashClone(nil), cfg)
	wantSeqs(t, r, 1, 2, 3, 4, 5, 6)
}

func TestTrimGivesRoomBackOnAFullDisk(t *testing.T) {
	m := vfs.NewMem()
	cfg := testConfig()
	cfg.FileBytes = 200
	l, _ := open(t, m, cfg)
	add(t, l, 1, 2, 3, 4, 5, 6)
	id, err := l.Rotate()
	must(t, err)
	m.SetCapacity(m.Used())
	must(t, l.Trim(id))
	if l.Size() > 100 {
		t.Errorf("Size = %d after all was trimmed on a full disk", l.Size())
	}
	c := m.CrashClone(nil)
	_, r := open(t, c, cfg)
	wantSeqs(t, r)
}

func TestFullDiskRefusesABatchAndTakesTheNext(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1)
	m.SetCapacity(m.Used() + 40)
	lsn, err := l.Append(newBatch(2, 1), keyOf)
	if !errors.Is(err, model.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Append on a full disk = %d, %v; want ErrUnavailable and ENOSPC", lsn, err)
	}
	m.SetCapacity(1 << 20)
	add(t, l, 3)
	_, r := open(t, m.CrashClone(nil), testConfig())
	wantSeqs(t, r, 1, 3)
}

func TestFullDiskAtTheFirstBatchIsNoEnd(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	for capacity := range uint64(150) {
		m.SetCapacity(capacity)
		if _, err := l.Append(newBatch(1, 1), keyOf); err == nil {
			t.Fatalf("Append with %d bytes of disk succeeded", capacity)
		}
	}
	m.SetCapacity(1 << 20)
	add(t, l, 2)
	_, r := open(t, m.CrashClone(nil), testConfig())
	wantSeqs(t, r, 2)
}

func TestWriteThatCannotBeCutBackEndsWriting(t *testing.T) {
	m := vfs.NewMem()
	full := false
	f := vfs.NewFailing(m, func(op vfs.Op) error {
		switch {
		case full && op.Kind == vfs.OpWrite:
			return &vfs.ShortWrite{N: 20, Err: syscall.ENOSPC}
		case full && op.Kind == vfs.OpTruncate:
			return syscall.EIO
		}
		return nil
	})
	l, _ := open(t, f, testConfig())
	add(t, l, 1)
	full = true
	if _, err := l.Append(newBatch(2, 1), keyOf); !errors.Is(err, model.ErrReadOnly) {
		t.Errorf("Append = %v, want ErrReadOnly", err)
	}
	full = false
	if _, err := l.Append(newBatch(3, 1), keyOf); !errors.Is(err, model.ErrReadOnly) {
		t.Errorf("next Append = %v, want ErrReadOnly", err)
	}
	_, r := open(t, m.CrashClone(func() bool { return true }), testConfig())
	wantSeqs(t, r, 1)
}

func TestFailedSyncEndsWriting(t *testing.T) {
	m := vfs.NewMem()
	fail := false
	f := vfs.NewFailing(m, func(op vfs.Op) error {
		if fail && op.Kind == vfs.OpSync {
			return syscall.EIO
		}
		return nil
	})
	l, _ := open(t, f, testConfig())
	add(t, l, 1)
	fail = true
	lsn, err := l.Append(newBatch(2, 1), keyOf)
	must(t, err)
	if err := l.Sync(lsn); !errors.Is(err, model.ErrReadOnly) {
		t.Errorf("Sync = %v, want ErrReadOnly", err)
	}
	fail = false // the disk pretends that all is well again
	if err := l.Sync(lsn); !errors.Is(err, model.ErrReadOnly) {
		t.Errorf("second Sync = %v, want ErrReadOnly", err)
	}
	must(t, l.Sync(lsn-1))
	if _, err := l.Append(newBatch(3, 1), keyOf); !errors.Is(err, model.ErrReadOnly) {
		t.Errorf("Append = %v, want ErrReadOnly", err)
	}
	// A process that starts anew reads what the kernel still shows.
	_, r := open(t, m, testConfig())
	wantSeqs(t, r, 1)
}

func TestCallersShareASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		syncs := 0
		release := make(chan struct{})
		block := false
		f := vfs.NewFailing(vfs.NewMem(), func(op vfs.Op) error {
			if block && op.Kind == vfs.OpSync {
				syncs++
				<-release
			}
			return nil
		})
		l, _ := open(t, f, testConfig())
		add(t, l, 1)
		block = true
		var wg sync.WaitGroup
		wg.Go(func() { add(t, l, 2) })
		synctest.Wait() // the first sync is under way
		for i := range uint64(20) {
			wg.Go(func() { add(t, l, 3+i) })
		}
		synctest.Wait() // all others wait for the next
		release <- struct{}{}
		release <- struct{}{}
		wg.Wait()
		block = false
		if syncs != 2 {
			t.Errorf("%d syncs for 1 and then 20 callers, want 2", syncs)
		}
	})
}

func TestConcurrentUseLosesNothing(t *testing.T) {
	cfg := testConfig()
	cfg.FileBytes = 2000
	m := vfs.NewMem()
	l, _ := open(t, m, cfg)
	var wg sync.WaitGroup
	for w := range uint64(8) {
		wg.Go(func() {
			for i := range uint64(50) {
				lsn, err := l.Append(newBatch(1+w*50+i, w), keyOf)
				if err == nil {
					err = l.Sync(lsn)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if _, err := l.Rotate(); err != nil {
				t.Error(err)
			}
			if err := l.Trim(0); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	_, r := open(t, m.CrashClone(nil), cfg)
	seen := map[uint64]bool{}
	for _, seq := range r.seqs() {
		seen[seq] = true
	}
	if len(seen) != 400 || len(r.batches) != 400 {
		t.Errorf("%d batches, %d distinct; want 400", len(r.batches), len(seen))
	}
}

func TestErrorOfReplayEndsOpen(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1)
	boom := errors.New("boom")
	if _, err := wal.Open(m, "shard/log", testConfig(), func(wal.FileID, *model.Batch) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("Open = %v", err)
	}
}

func TestBadConfigIsRefused(t *testing.T) {
	for _, cfg := range []wal.Config{{}, {FileBytes: 1 << 40, SeriesPerFile: 1}, {FileBytes: 1 << 20}} {
		if _, err := wal.Open(vfs.NewMem(), "d", cfg, nil); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("Open(%+v) = %v, want ErrInvalid", cfg, err)
		}
	}
}

func BenchmarkAppendSync(b *testing.B) {
	l, err := wal.Open(vfs.OS, b.TempDir(), testConfig(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	batch := newBatch(1, 1, 2, 3, 4, 5, 6, 7, 8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			lsn, err := l.Append(batch, keyOf)
			if err == nil {
				err = l.Sync(lsn)
			}
			if err != nil {
				b.Error(err)
			}
		}
	})
}
