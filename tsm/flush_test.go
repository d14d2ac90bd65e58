package tsm

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// filesOf gives the names in the shard's directory that end in one of suffixes.
func filesOf(t *testing.T, fs vfs.FS, suffixes ...string) (names []string) {
	t.Helper()
	all, err := fs.List("shards/1")
	must(t, err)
	for _, name := range all {
		if slices.Contains(suffixes, path.Ext(name)) {
			names = append(names, name)
		}
	}
	return names
}

func TestFlushesThatFailLeaveNoFiles(t *testing.T) {
	for what, fails := range map[string]func(op vfs.Op) bool{
		"write of the segment":    func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && strings.Contains(op.Name, segmentSuffix) },
		"sync of the segment":     func(op vfs.Op) bool { return op.Kind == vfs.OpSync && strings.Contains(op.Name, segmentSuffix) },
		"sync of the directory":   func(op vfs.Op) bool { return op.Kind == vfs.OpSyncDir && op.Name == "shards/1" },
		"write of the manifest":   func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && strings.Contains(op.Name, manifestPrefix) },
		"creation of the segment": func(op vfs.Op) bool { return op.Kind == vfs.OpCreate && strings.Contains(op.Name, segmentSuffix) },
	} {
		t.Run(what, func(t *testing.T) {
			mem, full := vfs.NewMem(), false
			fs := vfs.NewFailing(mem, func(op vfs.Op) error {
				if full && fails(op) {
					return syscall.ENOSPC
				}
				return nil
			})
			s, h := newShard(t, fs, nil)
			h.write(t, s, h.points("m", 1, 2))
			full = true
			for range 3 {
				if err := s.Flush(context.Background()); !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("Flush on a full disk: %v, want ENOSPC", err)
				}
			}
			full = false
			must(t, s.Flush(context.Background()))
			if files := filesOf(t, mem, segmentSuffix, indexSuffix, tmpSuffix); len(files) != 2 {
				t.Errorf("after three failed flushes and a good one there are %q, want one index and one segment", files)
			}
			h.check(t, s)
		})
	}
}

func TestFlushesThatFailDoNotPileUpMemtables(t *testing.T) {
	full := false
	fs := vfs.NewFailing(vfs.NewMem(), func(op vfs.Op) error {
		if full && op.Kind == vfs.OpWrite && strings.Contains(op.Name, manifestPrefix) {
			return syscall.ENOSPC
		}
		return nil
	})
	s, h := newShard(t, fs, nil)
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.AllTime}}))
	full = true
	for range 5 {
		if err := s.Flush(context.Background()); err == nil {
			t.Fatal("Flush on a full disk: no error")
		}
	}
	if n := len(s.mu.sealed); n > 1 {
		t.Errorf("%d memtables wait to be flushed after a delete, want 1", n)
	}
	full = false
	must(t, s.Flush(context.Background()))
	h.check(t, s)
}

func TestFlushOfAShardThatIsOverWritesAFileToBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorker(WorkerConfig{})
		cfg := DefaultConfig()
		cfg.Worker, cfg.ReservedBytes, cfg.PackBytes = w, 0, 4000
		cfg.End = time.Now().UnixNano()
		s, err := Open(vfs.NewMem(), "shards/1", cfg)
		must(t, err)
		h := newHistory(1)
		for i := range int64(20) {
			h.now = time.Now()
			h.write(t, s, h.points("m", upTo(100+i)...))
			synctest.Wait()
		}
		if n := len(s.mu.sealed); n == 0 {
			t.Error("nothing was packed")
		}
		h.check(t, s)
		for s.Info().Files == 0 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if i := s.Info(); i.Hot || i.Files != 1 || s.mu.files[0].meta.level != coldLevel {
			t.Errorf("a shard that is over and idle: %+v, want one file, made to be kept", i)
		}
		h.check(t, s)
		must(t, s.Close())
		must(t, w.Close())
	})
}

func TestSeriesThatBeginsWithFewRowsIsNotCutAfterThem(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	for _, key := range []string{"m,a=1", "m,a=2"} {
		h.write(t, s, h.points(key, upTo(300)[:16]...))
	}
	must(t, s.Pack())
	for _, key := range []string{"m,a=1", "m,a=2"} {
		h.write(t, s, h.points(key, upTo(300)[16:]...))
	}
	must(t, s.Flush(t.Context()))
	r, err := s.Reader()
	must(t, err)
	defer r.Close()
	series, err := r.Series("m", nil)
	must(t, err)
	c := r.Scan(ScanOptions{Series: series, Fields: r.Fields("m"), Range: model.AllTime})
	for range series {
		g, err := c.Next()
		must(t, err)
		if _, exact := g.Stats(0); g.Len() != 300 || !exact {
			t.Errorf("series %d has a granule of %d rows, with statistics %v; want 300, true", g.Series(), g.Len(), exact)
		}
	}
}
