package tsm

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// scrubbed opens a shard of some series, of which spoil damages the index file,
// and lets a Worker look at it before anybody else does.
func scrubbed(t *testing.T, spoil func(index []byte), then func(t *testing.T, s *Shard, h *history, reg *prometheus.Registry)) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		fs := vfs.NewMem()
		w := NewWorker(WorkerConfig{ScrubRate: 5 << 20})
		hashed := func(c *Config) {
			c.Hash = func(key []byte) model.SeriesHash { return model.HashSeriesKey(key, hashSeed) }
		}
		s, h := workedShard(t, w, fs, hashed)
		for i := range int64(50) {
			h.write(t, s, h.points(fmt.Sprintf("m,b=%d,c=x", i), i))
		}
		must(t, s.Flush(context.Background()))
		name := s.path(indexName(s.mu.indexes[0].id))
		must(t, s.Close())
		b, err := vfs.ReadFile(fs, name, 1<<20)
		must(t, err)
		spoil(b)
		must(t, vfs.WriteFile(fs, name, b))
		cfg := h.config()
		cfg.Now, cfg.Worker, cfg.Metrics = time.Now, w, NewMetrics(reg)
		hashed(&cfg)
		s, err = Open(fs, "shards/1", cfg)
		must(t, err)
		time.Sleep(scrubAfter + 2*scrubLook)
		then(t, s, h, reg)
		must(t, s.Close())
		must(t, w.Close())
	})
}

func TestScrubMendsTheIndex(t *testing.T) {
	for _, part := range []float64{0.1, 0.4, 0.6, 0.8} {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			var bad byte
			spoil := func(b []byte) { b[int(part*float64(len(b)))] ^= 4; bad = b[int(part*float64(len(b)))] }
			scrubbed(t, spoil, func(t *testing.T, s *Shard, h *history, reg *prometheus.Registry) {
				must(t, s.Damaged())
				if n := counted(t, reg, "tsm_mended_index_files_total"); n != 1 {
					t.Errorf("%v index files were mended, want 1", n)
				}
				b, err := vfs.ReadFile(s.fs, s.path(indexName(s.mu.indexes[0].id)), 1<<20)
				must(t, err)
				if at := int(part * float64(len(b))); b[at] == bad {
					t.Errorf("byte %d of the index file is %#x still", at, bad)
				}
				h.check(t, s)
				h.checkListing(t, s)
			})
		})
	}
}

func TestScrubReportsAnIndexThatNothingMends(t *testing.T) {
	spoil := func(b []byte) {
		for i := 64; i < len(b)-128; i += 8 {
			b[i] ^= 4
		}
	}
	scrubbed(t, spoil, func(t *testing.T, s *Shard, _ *history, reg *prometheus.Registry) {
		if err := s.Damaged(); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("Damaged: %v, want ErrCorrupt", err)
		}
		if n := counted(t, reg, "tsm_quarantined_files_total"); n != 1 {
			t.Errorf("%v files are quarantined, want the index", n)
		}
	})
}
