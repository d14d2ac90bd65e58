package tsm

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// A trickle of late points must not make the Worker write the whole of a large
// shard again for each of them.
func TestLatePointsDoNotRewriteAColdShard(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	ctx := context.Background()
	for i := range int64(4) {
		var times []int64
		for k := range int64(5000) {
			times = append(times, h.rng.Int64N(1000)+1000*(5000*i+k))
		}
		h.write(t, s, h.points("m", times...))
		must(t, s.Flush(ctx))
	}
	s.cfg.End = h.now.UnixNano()
	h.now = h.now.Add(time.Minute)
	if s.due()[coldWork] == 0 {
		t.Error("a shard of 4 files whose time is over is not to be rewritten")
	}
	must(t, s.maintain(ctx, coldWork))
	h.write(t, s, h.points("m", 5))
	h.now = h.now.Add(time.Minute)
	must(t, s.maintain(ctx, flushWork))
	if i := s.Info(); i.Files != 2 || i.Hot {
		t.Fatalf("after a late point: %+v", i)
	}
	if s.due()[coldWork] > 0 {
		t.Error("a shard is to be rewritten for one late point")
	}
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: 7, Max: 5000}}}))
	h.now = h.now.Add(time.Minute)
	must(t, s.maintain(ctx, flushWork))
	if s.due()[coldWork] == 0 {
		t.Error("a shard with rows that are deleted is not to be rewritten")
	}
	h.check(t, s)
}

func TestCompactionLeavesTheReserveAlone(t *testing.T) {
	mem := vfs.NewMem()
	s, h := newShard(t, mem, func(c *Config) { c.ReservedBytes = 1000 })
	ctx := context.Background()
	for i := range int64(2) {
		h.write(t, s, h.points("m", 2*i, 2*i+1))
		must(t, s.Flush(ctx))
	}
	mem.SetCapacity(mem.Used() + 1000 + 50)
	if err := s.Compact(ctx); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("Compact without room beside the reserve: %v, want ErrUnavailable", err)
	}
	if n := s.Info().Files; n != 2 {
		t.Errorf("%d files, want the 2 there were", n)
	}
	mem.SetCapacity(1 << 20)
	must(t, s.Compact(ctx))
	h.check(t, s)
}

func TestCloseDoesNotWaitForACompaction(t *testing.T) {
	var s *Shard
	closed, begun := make(chan error, 1), false
	fs := vfs.NewFailing(vfs.NewMem(), func(op vfs.Op) error {
		if begun && op.Kind == vfs.OpCreate && strings.HasSuffix(op.Name, segmentSuffix+tmpSuffix) {
			begun = false
			go func() { closed <- s.Close() }()
			for deadline := time.Now().Add(10 * time.Second); !s.closing.Load() && time.Now().Before(deadline); {
				runtime.Gosched()
			}
		}
		return nil
	})
	s, h := newShard(t, fs, nil)
	ctx := context.Background()
	for i := range int64(2) {
		h.write(t, s, h.points("m", upTo(100+i)...))
		must(t, s.Flush(ctx))
	}
	begun = true
	if err := s.Compact(ctx); !errors.Is(err, model.ErrClosed) {
		t.Errorf("Compact of a shard that is being closed: %v, want ErrClosed", err)
	}
	must(t, <-closed)
	s, err := Open(fs, "shards/1", h.config())
	must(t, err)
	h.check(t, s)
	must(t, s.Close())
}
