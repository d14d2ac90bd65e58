package tsm

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

func TestDamagedIndexFileIsMendedOrReported(t *testing.T) {
	mem := vfs.NewMem()
	s, h := newShard(t, mem, nil)
	for i := range int64(5) {
		h.write(t, s, h.points(fmt.Sprintf("m,b=%d,c=x", i), i))
	}
	must(t, s.Flush(t.Context()))
	must(t, s.Close())
	name := "shards/1/" + filesOf(t, mem, indexSuffix)[0]
	good, err := vfs.ReadFile(mem, name, 1<<20)
	must(t, err)
	mended := 0
	for at := range good {
		fs := mem.CrashClone(func() bool { return true })
		bad := slices.Clone(good)
		bad[at] ^= 0x20
		must(t, vfs.WriteFile(fs, name, bad))
		cfg := h.config()
		cfg.Hash = func(key []byte) model.SeriesHash { return model.HashSeriesKey(key, hashSeed) }
		s, err := Open(fs, "shards/1", cfg)
		if errors.Is(err, model.ErrCorrupt) || errors.Is(err, model.ErrNotSupported) {
			continue
		}
		must(t, err)
		h.check(t, s)
		h.checkListing(t, s)
		must(t, s.Damaged())
		// All parts are touched by now, but for the table of hashes.
		must(t, s.Write(t.Context(), h.taken[0]))
		_, err = s.Lacking(h.taken[0])
		must(t, err)
		if s.index.Derived(0) {
			mended++
			must(t, s.compactIndex(t.Context()))
			if s.index.Derived(0) {
				t.Fatalf("byte %d damaged: the file was not written anew", at)
			}
		}
		must(t, s.Close())
		if s, err = Open(fs, "shards/1", h.config()); err != nil {
			t.Fatalf("byte %d damaged: after mending: %v", at, err)
		}
		h.check(t, s)
		must(t, s.Close())
	}
	if mended < len(good)/2 {
		t.Errorf("%d of %d damaged bytes were mended", mended, len(good))
	}
}

func TestIndexFilesStayFew(t *testing.T) {
	s, _ := newShard(t, vfs.NewMem(), nil)
	run := func(sizes ...uint32) int {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.mu.indexes = nil
		first := uint32(0)
		for i, n := range sizes {
			s.mu.indexes = append(s.mu.indexes, indexFile{id: uint64(i), first: first, end: first + n})
			first += n
		}
		return len(s.indexRunLocked())
	}
	many := func(n int, size uint32) []uint32 { return slices.Repeat([]uint32{size}, n) }
	for _, c := range []struct {
		sizes []uint32
		want  int
	}{
		{nil, 0},
		{[]uint32{10}, 0},
		{[]uint32{10, 5}, 0},
		{[]uint32{10, 5, 5}, 3},
		{[]uint32{100, 10, 5, 5}, 3},
		{[]uint32{3 << 20, 3 << 20}, 0}, // one file may not have as many
		// Small ones after large ones are left while they are few.
		{append(many(15, 130_000), 5000), 0},
		{append(many(17, 130_000), 5000), 18}, // all: with the first of them they are more than each before
		{append(many(40, 1<<20), 5000), 4},
	} {
		if got := run(c.sizes...); got != c.want {
			t.Errorf("%v: %d files are merged, want %d", c.sizes, got, c.want)
		}
	}
	s.mu.Lock()
	s.mu.indexes = nil
	s.mu.Unlock()
}
