package tsm

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// crasher stops a shard's life before every file operation that can matter,
// and looks at what a start after a power cut at that moment finds.
type crasher struct {
	t      *testing.T
	h      *history
	rng    *rand.Rand // of the crashes, so that they do not change the history
	fs     *vfs.Mem
	asking *model.Batch // written and not answered yet
	points int
	second int // crashes during the recovery from one
}

// before is the hook of the failing file system.
func (c *crasher) before(op vfs.Op) error {
	if op.Kind.Mutates() && !c.t.Failed() {
		c.points++
		checkVouched(c.t, c.fs, c.h, op, fmt.Sprintf("operation %d", c.points))
		odds := c.rng.IntN(3) // what was not synced: all lost, all kept, or by chance
		keep := func() bool { return odds == 1 || odds == 2 && c.rng.IntN(2) == 0 }
		c.recover(c.fs.CrashClone(keep), fmt.Sprintf("crash before operation %d (%v)", c.points, op))
	}
	return nil
}

func (c *crasher) recover(fs *vfs.Mem, what string) {
	c.t.Helper()
	c.spoil(fs)
	// A second crash at a random operation of the recovery.
	at, n := 1+c.rng.IntN(20), 0
	var again *vfs.Mem
	s, err := Open(vfs.NewFailing(fs, func(op vfs.Op) error {
		if op.Kind.Mutates() {
			if n++; n == at {
				again = fs.CrashClone(func() bool { return c.rng.IntN(2) == 0 })
			}
			checkVouched(c.t, fs, c.h, op, what)
		}
		return nil
	}), "shards/1", c.h.config())
	if err != nil {
		c.t.Errorf("%s: Open: %v", what, err)
		return
	}
	c.verify(s, what)
	if again == nil {
		return
	}
	c.second++
	what = fmt.Sprintf("%s, again during recovery, operation %d", what, at)
	if s, err = Open(again, "shards/1", c.h.config()); err != nil {
		c.t.Errorf("%s: Open: %v", what, err)
		return
	}
	c.verify(s, what)
}

// spoil removes or damages, once in a while, what says how much of the manifest
// is durable: a shard must do without.
func (c *crasher) spoil(fs *vfs.Mem) {
	c.t.Helper()
	b, err := vfs.ReadFile(fs, "shards/1/"+durableName, 1<<10)
	if errors.Is(err, iofs.ErrNotExist) {
		return
	}
	must(c.t, err)
	switch c.rng.IntN(8) {
	case 0:
		must(c.t, fs.Remove("shards/1/"+durableName))
	case 1:
		b[c.rng.IntN(len(b))] ^= 1 << c.rng.IntN(8)
		must(c.t, vfs.WriteFile(fs, "shards/1/"+durableName, b))
	}
}

// verify wants every acknowledged batch, and of the one under way all or
// nothing; then it goes on working with the shard.
func (c *crasher) verify(s *Shard, what string) {
	c.t.Helper()
	ctx := context.Background()
	got := read(c.t, s, model.AllTime)
	want := c.h.content()
	all := want
	if c.asking != nil {
		all = contentOf(append(slices.Clone(c.h.taken), c.asking))
	}
	if !maps.Equal(got, want) && !maps.Equal(got, all) {
		c.t.Errorf("%s: got %d cells, acknowledged are %d, with the batch under way %d", what, len(got), len(want), len(all))
		compare(c.t, got, want)
	}
	if c.asking != nil {
		if err := s.Write(ctx, c.asking); err != nil {
			c.t.Errorf("%s: write again: %v", what, err)
		}
	}
	if err := s.Flush(ctx); err != nil {
		c.t.Errorf("%s: Flush: %v", what, err)
	}
	if err := s.Compact(ctx); err != nil {
		c.t.Errorf("%s: Compact: %v", what, err)
	}
	if got := read(c.t, s, model.AllTime); !maps.Equal(got, all) {
		c.t.Errorf("%s: after writing again got %d cells, want %d", what, len(got), len(all))
		compare(c.t, got, all)
	}
	if err := s.Close(); err != nil {
		c.t.Errorf("%s: Close: %v", what, err)
	}
}

func TestNothingAcknowledgedIsLostInACrashAtAnyFileOperation(t *testing.T) {
	points, second := 0, 0
	for _, seed := range seeds(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			h := newHistory(seed)
			h.late = false
			c := &crasher{t: t, h: h, rng: rand.New(rand.NewPCG(seed, 8)), fs: vfs.NewMem()}
			fs := vfs.NewFailing(c.fs, c.before)
			ctx := context.Background()
			s, err := Open(fs, "shards/1", h.config())
			if err != nil {
				t.Fatal(err)
			}
			for range 30 {
				var b *model.Batch
				switch op := h.rng.IntN(12); {
				case op < 6:
					b = h.rows(6)
				case op < 7:
					b = h.delete()
				case op < 8:
					err = s.Pack()
				case op < 9:
					err = s.Flush(ctx)
				case op < 10:
					err = s.Compact(ctx)
				case op < 11:
					err = s.compactTier(ctx)
				default:
					if err = s.Close(); err == nil {
						s, err = Open(fs, "shards/1", h.config())
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				if b != nil {
					whole := *b // write leaves keys out of b
					c.asking = &whole
					h.write(t, s, b)
					c.asking = nil
				}
			}
			h.check(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			points += c.points
			second += c.second
		})
	}
	if !t.Failed() {
		t.Logf("figure: crashes of a shard: %d points tested, each before a file operation, and %d again during the recovery; acknowledged and lost 0", points, second)
	}
}
