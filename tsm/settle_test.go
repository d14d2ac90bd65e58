package tsm

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// Agents write small batches all the time, so memtables and files overlap where
// they meet. A file must not know the version of each of those batches for ever.
func TestFilesForgetVersionsThatNothingCompetesWith(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	ctx := context.Background()
	versions := func() (n int) {
		for _, f := range s.mu.files {
			if f.meta.versioned {
				n += len(f.r.Versions())
			}
		}
		return n
	}
	const batches = 500
	for i := range int64(4) {
		for k := range int64(batches) {
			h.write(t, s, h.points(fmt.Sprint("m,a=", k%3), 10*(batches*i+k), 10*(batches*i+k)+30))
		}
		mems, err := s.seal()
		must(t, err)
		h.write(t, s, h.points("m,a=0", 10*batches*(i+1)+20)) // into the next memtable, overlapping
		must(t, s.flushMemtables(ctx, mems))
		h.check(t, s)
	}
	if n := versions(); n > 400 {
		t.Errorf("4 files know %d versions of %d batches", n, 4*batches)
	}
	must(t, s.compactTier(ctx))
	if len(s.mu.files) != 1 || !s.mu.files[0].meta.versioned {
		t.Fatalf("%d files, want one with versions", len(s.mu.files))
	}
	if n := versions(); n > 150 {
		t.Errorf("after a merge the file knows %d versions", n)
	}
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: 100, Max: 6000}}}))
	h.write(t, s, h.points("m,a=1", 200, 7010))
	h.check(t, s)
	h.now = h.now.Add(time.Minute)
	must(t, s.Flush(ctx))
	must(t, s.Compact(ctx))
	h.check(t, s)
}

// A clock that was ahead for a while must not keep the shard from taking what
// is stamped after it was set right.
func TestClockThatWasAheadRefusesNothingLater(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	ctx := context.Background()
	h.write(t, s, h.points("m", 1, 2))
	right := h.now
	h.now = h.now.Add(time.Hour)
	must(t, s.Flush(ctx))
	h.now = right.Add(time.Second)
	h.write(t, s, h.points("m", 2, 3))
	h.check(t, s)
	must(t, s.Close())
}
