package tsm

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// late gives b as it comes from a node that was away, without keys that the
// shard has.
func late(b *model.Batch, keys bool) *model.Batch {
	c := *b
	c.Series = append([]model.Series(nil), b.Series...)
	for i := range c.Series {
		if !keys {
			c.Series[i].Key = nil
		}
	}
	return &c
}

func TestLackingLeavesOutWhatIsHereOrDeleted(t *testing.T) {
	for seed := range uint64(30) {
		h := newHistory(seed + 1)
		s, sh := newShard(t, vfs.NewMem(), func(c *Config) { c.Replication = behind() })
		sh.now = h.now
		// Batch by batch all are stamped; every third comes late.
		var taken, missed []*model.Batch
		for i := range 24 {
			b := h.rows(12)
			if i%7 == 6 {
				b = h.delete()
			}
			if i%3 == 1 {
				missed = append(missed, b)
				continue
			}
			must(t, s.Write(t.Context(), b))
			taken = append(taken, b)
			if h.rng.IntN(4) == 0 {
				must(t, s.Flush(t.Context()))
			}
		}
		here := contentOf(taken)
		for _, b := range missed {
			got, err := s.Lacking(late(b, true))
			must(t, err)
			want := map[cell]any{}
			for c, v := range contentOf([]*model.Batch{b}) {
				name, tags, _ := model.ParseSeriesKey([]byte(c.series))
				gone := false
				for _, d := range taken {
					gone = gone || d.Delete != nil && b.Version.Less(d.Version) && d.Delete.Range.Contains(c.time) && d.Delete.Where.Holds(name, tags)
				}
				if _, ok := here[c]; !ok && !gone {
					want[c] = v
				}
			}
			if got == nil {
				if len(want) > 0 {
					t.Errorf("seed %d: nothing is lacking, want %d cells", seed, len(want))
				}
				continue
			}
			if got.ID != (model.BatchID{}) || got.Version != (model.Version{}) {
				t.Errorf("seed %d: what is lacking is stamped %v", seed, got.Version)
			}
			if have := contentOf([]*model.Batch{got}); !maps.Equal(have, want) {
				t.Errorf("seed %d: lacking %s", seed, difference(have, want))
			}
			if back, err := model.DecodeBatch(model.AppendBatch(nil, got)); err != nil || back.Rows() != got.Rows() {
				t.Errorf("seed %d: what is lacking cannot be sent: %v", seed, err)
			}
		}
	}
}

func TestLackingTakesAValueOfAnyTypeForOne(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	h.write(t, s, h.points("m,a=1", 1, 2))
	b := late(h.points("m,a=1", 1, 5), false)
	c := model.Column{Field: model.Field{Name: "v", Type: model.Float}}
	c.AppendBits(math.Float64bits(1))
	c.AppendBits(math.Float64bits(5))
	b.Tables[0].Columns = []model.Column{c}
	got, err := s.Lacking(b)
	must(t, err)
	if got == nil || got.Rows() != 1 || got.Tables[0].Times[0] != 5 || string(got.Series[0].Key) != "m,a=1" {
		t.Errorf("lacking is %+v, want the row at 5 with its key", got)
	}
}

func TestLackingNeedsKeysOfNewSeriesAndOffersNoDeletes(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	h.write(t, s, h.points("m,a=1", 1))
	if _, err := s.Lacking(late(h.points("m,a=2", 1), false)); !errors.Is(err, model.ErrNeedKeys) {
		t.Errorf("Lacking = %v, want ErrNeedKeys", err)
	}
	for _, key := range []string{"m,a=1", "m,a=2"} {
		got, err := s.Lacking(late(h.points(key, 2), true))
		must(t, err)
		if got == nil || got.Rows() != 1 {
			t.Errorf("of a new row of %s lacking is %+v", key, got)
		}
	}
	if got, err := s.Lacking(h.stamp(&model.Batch{Delete: &model.Delete{Range: model.AllTime}})); err != nil || got != nil {
		t.Errorf("of a delete lacking is %+v, %v", got, err)
	}
}

// A manifest comes from another node.
func FuzzInstall(f *testing.F) {
	h := newHistory(1)
	mem := vfs.NewMem()
	s, err := Open(mem, "s", h.config())
	if err != nil {
		f.Fatal(err)
	}
	h.rng = rand.New(rand.NewPCG(1, 1))
	for _, b := range []*model.Batch{h.rows(3), h.delete()} {
		if err := s.Write(f.Context(), b); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.Flush(f.Context()); err != nil {
		f.Fatal(err)
	}
	p, err := s.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{currentName, durableName, manifestName(1)} {
		if err := mem.Remove("s/" + name); err != nil {
			f.Fatal(err)
		}
	}
	if err := mem.RemoveAll("s/" + logDir); err != nil {
		f.Fatal(err)
	}
	payload := p.Manifest()[recordHeader:]
	f.Add(payload)
	f.Add(payload[:len(payload)/2])
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := decodeEdit(payload)
		if err != nil {
			return
		}
		fs := mem.CrashClone(keepAll)
		// The checksum is of what the sender wrote, so a fuzzer must make it.
		if err := Install(fs, "s", appendRecord(nil, e)); err != nil {
			return
		}
		o, err := Open(fs, "s", h.config())
		if err != nil {
			t.Fatalf("Open of what was installed: %v", err)
		}
		if _, err := cellsOf(o, false); err != nil {
			t.Errorf("read: %v", err)
		}
		must(t, o.Close())
	})
}
