package tsm

import (
	"context"
	"errors"
	"path"
	"syscall"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

func TestOpenTrimsALogThatIsWhollyInFiles(t *testing.T) {
	mem, crash := vfs.NewMem(), false
	var after *vfs.Mem
	fs := vfs.NewFailing(mem, func(op vfs.Op) error {
		if crash && after == nil && op.Kind == vfs.OpRemove && path.Ext(op.Name) == ".wal" {
			after = mem.CrashClone(nil)
		}
		return nil
	})
	s, h := newShard(t, fs, nil)
	h.write(t, s, h.points("m", 1, 2))
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: 1, Max: 1}}}))
	crash = true
	must(t, s.Flush(context.Background()))
	s, err := Open(after, "shards/1", h.config())
	must(t, err)
	h.check(t, s)
	if n := s.Info().LogBytes; n > 100 {
		t.Errorf("the log has %d bytes of batches that are in files", n)
	}
	h.write(t, s, h.points("m", 3))
	must(t, s.Close())
	s, err = Open(after, "shards/1", h.config())
	must(t, err)
	h.check(t, s)
	must(t, s.Close())
}

func TestCrashBringsNoSeriesWithoutRowsIntoListings(t *testing.T) {
	mem := vfs.NewMem()
	s, h := newShard(t, mem, nil)
	h.write(t, s, h.points("m,a=b", 1, 2))
	mems, err := s.seal()
	must(t, err)
	if _, _, err := s.begin(h.points("m,a=never-synced", 3)); err != nil {
		t.Fatal(err)
	}
	must(t, s.flushMemtables(context.Background(), mems))
	s, err = Open(mem.CrashClone(nil), "shards/1", h.config())
	must(t, err)
	h.check(t, s)
	h.checkListing(t, s)
	must(t, s.Close())
}

func TestSegmentThatCannotBeOpenedForNowIsNotDamage(t *testing.T) {
	mem, few := vfs.NewMem(), false
	fs := vfs.NewFailing(mem, func(op vfs.Op) error {
		if few && op.Kind == vfs.OpOpen && path.Ext(op.Name) == segmentSuffix {
			return syscall.EMFILE
		}
		return nil
	})
	s, h := newShard(t, fs, nil)
	h.write(t, s, h.points("m", 1))
	must(t, s.Flush(context.Background()))
	must(t, s.Close())
	few = true
	if s, err := Open(fs, "shards/1", h.config()); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("Open without descriptors: %v, %v, want ErrUnavailable", s, err)
	}
	few = false
	s, err := Open(fs, "shards/1", h.config())
	must(t, err)
	h.check(t, s)
	must(t, s.Close())
}

func TestRefusedBatchBringsNoSeriesIntoListings(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	b := h.points("m,a=good", 1)
	bad := []byte("m,bad")
	b.Series = append(b.Series, model.Series{Hash: model.HashSeriesKey(bad, hashSeed), Key: bad})
	if err := s.Write(context.Background(), b); !errors.Is(err, model.ErrInvalid) {
		t.Fatalf("Write of a series without a canonical key: %v, want ErrInvalid", err)
	}
	h.write(t, s, h.points("m,a=other", 1))
	h.checkListing(t, s)
}
