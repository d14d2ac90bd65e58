//go:build mutants

package tsm

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// A file that is wrong must never take the place of what it was made of.
func TestReadingBackFindsPlantedBugs(t *testing.T) {
	defer mutant.Plant("")
	ctx := context.Background()
	for _, c := range []struct {
		bug  mutant.Bug
		work func(*Shard) error
	}{
		{mutant.ValueChangedInWriting, func(s *Shard) error { return s.Flush(ctx) }},
		{mutant.ValueChangedInWriting, func(s *Shard) error { return s.Compact(ctx) }},
		{mutant.CopiedFieldsSwapped, func(s *Shard) error { return s.compactTier(ctx) }},
	} {
		mutant.Plant("")
		s, h := newShard(t, vfs.NewMem(), func(c *Config) { c.CompactFiles = 2 })
		write := func(at int64) {
			b := h.points("m", steady(at, 1000)...)
			w := model.Column{Field: model.Field{Name: "w", Type: model.Integer}}
			for i := range int64(1000) {
				w.AppendBits(uint64(i % 7))
			}
			b.Tables[0].Columns = append(b.Tables[0].Columns, w)
			h.write(t, s, b)
		}
		for i := range int64(2) {
			write(1000 * i)
			h.now = h.now.Add(time.Minute)
			must(t, s.Flush(ctx))
		}
		write(2000)
		mutant.Plant(c.bug)
		if err := c.work(s); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", c.bug, err)
		}
		mutant.Plant("")
		if n := s.Info().Quarantined; n != 0 {
			t.Errorf("%s: %d files are quarantined, no source is at fault", c.bug, n)
		}
		h.check(t, s)
		must(t, c.work(s))
		h.check(t, s)
	}
}
