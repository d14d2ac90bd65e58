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
