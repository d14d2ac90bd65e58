package wal_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/wal"
)

// setOf gives the ids of newBatch.
func setOf(seqs ...uint64) *model.BatchSet {
	s := &model.BatchSet{}
	for _, seq := range seqs {
		s.Add(newBatch(seq).ID)
	}
	return s
}

func readSeqs(t *testing.T, l *wal.Log, want *model.BatchSet) (seqs []uint64) {
	t.Helper()
	must(t, l.Read(t.Context(), want, func(b *model.Batch) error {
		seqs = append(seqs, b.ID.Seq)
		return nil
	}))
	return seqs
}

func TestReadGivesWhatIsWantedAndDurable(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 5, 1, 2)
	_, err := l.Rotate()
	must(t, err)
	add(t, l, 9, 3)
	_, err = l.Append(newBatch(4, 1), keyOf) // waits for its sync
	must(t, err)
	all := setOf(1, 2, 3, 4, 5, 6, 9)
	if got := readSeqs(t, l, all); !slices.Equal(got, []uint64{5, 1, 2, 9, 3}) {
		t.Errorf("read %v", got)
	}
	if got := readSeqs(t, l, setOf(2, 3, 7)); !slices.Equal(got, []uint64{2, 3}) {
		t.Errorf("of 2, 3 and 7 read %v", got)
	}
	must(t, l.Close())
	l, _ = open(t, m, testConfig())
	if got := readSeqs(t, l, all); !slices.Equal(got, []uint64{5, 1, 2, 9, 3, 4}) {
		t.Errorf("after a start read %v", got)
	}
}

func TestClosedFilesKnowTheirBatches(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	if l.Since() != 0 {
		t.Errorf("an empty log has batches of %v", l.Since())
	}
	for _, seqs := range [][]uint64{{1, 2}, {7, 3}} {
		add(t, l, seqs...)
		_, err := l.Rotate()
		must(t, err)
	}
	add(t, l, 8)
	check := func(want ...*model.BatchSet) {
		t.Helper()
		files := l.Closed(math.MaxUint64)
		if len(files) != len(want) {
			t.Fatalf("%d closed files, want %d", len(files), len(want))
		}
		for i, f := range files {
			if !f.Batches.Equal(want[i]) {
				t.Errorf("file %d has %d batches, want %d", f.ID, f.Batches.Len(), want[i].Len())
			}
		}
	}
	check(setOf(1, 2), setOf(3, 7))
	if n := len(l.Closed(1)); n != 1 {
		t.Errorf("%d files up to 1", n)
	}
	must(t, l.Close())
	l, _ = open(t, m, testConfig())
	check(setOf(1, 2), setOf(3, 7), setOf(8))
	if l.Since() != 2 {
		t.Errorf("the oldest file has batches up to %v", l.Since())
	}
	must(t, l.Trim(1))
	check(setOf(3, 7), setOf(8))
	if l.Since() != 7 {
		t.Errorf("after a trim the oldest file has batches up to %v", l.Since())
	}
}

func TestSkippedBatchesStayInTheLog(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1, 2, 3)
	must(t, l.Close())
	cfg := testConfig()
	cfg.Skip = func(f wal.FileID, v model.Version) bool {
		if f != 1 || v != newBatch(v.ID.Seq).Version {
			t.Errorf("asked for %v in file %d", v, f)
		}
		return v.ID.Seq != 2
	}
	l, r := open(t, m, cfg)
	wantSeqs(t, r, 2)
	if got := readSeqs(t, l, setOf(1, 2, 3)); !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("read %v", got)
	}
}

func TestReadFindsDamage(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1)
	first := int(l.Size())
	add(t, l, 2, 3)
	damage(t, m, "shard/log/0000000000000001.wal", func(b []byte) { b[first+30] ^= 1 })
	var seqs []uint64
	err := l.Read(t.Context(), setOf(1, 2, 3), func(b *model.Batch) error {
		seqs = append(seqs, b.ID.Seq)
		return nil
	})
	if !errors.Is(err, model.ErrCorrupt) || !slices.Equal(seqs, []uint64{1}) {
		t.Errorf("Read = %v after %v, want ErrCorrupt after 1", err, seqs)
	}
}

func TestReadEndsWithItsContextAndWithEmit(t *testing.T) {
	l, _ := open(t, vfs.NewMem(), testConfig())
	add(t, l, 1, 2)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := l.Read(ctx, setOf(1, 2), func(*model.Batch) error { n++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("Read = %v after %d batches, want Canceled after 1", err, n)
	}
	enough := errors.New("enough")
	if err := l.Read(t.Context(), setOf(1, 2), func(*model.Batch) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("Read = %v, want the error of emit", err)
	}
}

// Every batch that was durable before Read began, and not trimmed since, is given.
func TestReadWhileTheLogGoesOn(t *testing.T) {
	cfg := testConfig()
	cfg.FileBytes = 2 << 10
	l, _ := open(t, vfs.NewMem(), cfg)
	const n = 400
	var wg sync.WaitGroup
	done := make(chan uint64, n)
	wg.Go(func() {
		defer close(done)
		for seq := uint64(1); seq <= n; seq++ {
			lsn, err := l.Append(newBatch(seq, seq%7), keyOf)
			if err == nil {
				err = l.Sync(lsn)
			}
			if err != nil {
				t.Error(err)
				return
			}
			if seq%50 == 0 {
				files := l.Closed(math.MaxUint64)
				if err := l.Trim(files[len(files)/2].ID); err != nil {
					t.Error(err)
				}
			}
			done <- seq
		}
	})
	all := &model.BatchSet{}
	for seq := uint64(1); seq <= n; seq++ {
		all.Add(newBatch(seq).ID)
	}
	for seq := range done {
		if seq%10 != 0 {
			continue
		}
		last := uint64(0)
		if err := l.Read(context.Background(), all, func(b *model.Batch) error {
			if last != 0 && b.ID.Seq <= last {
				t.Errorf("batch %d after %d", b.ID.Seq, last)
			}
			last = b.ID.Seq
			return nil
		}); err != nil {
			t.Error(err)
		}
		if last < seq {
			t.Errorf("read up to %d, durable was %d", last, seq)
		}
	}
	wg.Wait()
}
