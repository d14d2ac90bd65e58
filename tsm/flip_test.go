package tsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// Files up to this size are flipped at every byte, larger ones at as many
// places by chance.
const flips = 600

// outcome is what became of a shard that opened with one bit of a file flipped.
type outcome int

const (
	harmless outcome = iota // every value is there: what was flipped is not needed, or was mended
	refused                 // the shard does not open, or a scan fails
	torn                    // the last batch of the log is missing: it looks like a write that a crash cut off
	harmful                 // values are missing or wrong, and nobody is told
	outcomes
)

func TestFlippedBitIsHarmlessOrNoticed(t *testing.T) {
	total := [outcomes]int{}
	perFormat := map[string]int{}
	for _, seed := range seeds(2) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			h := newHistory(seed)
			h.late = false
			rng := rand.New(rand.NewPCG(seed, 9)) // of the flips, so that they do not change the history
			fs := flipped(t, h)
			want := h.content()
			withoutLast := contentOf(h.taken[:len(h.taken)-1])
			names := filesBelow(t, fs, "shards/1")
			for _, name := range names {
				b, err := vfs.ReadFile(fs, name, 1<<20)
				must(t, err)
				places := rng.Perm(len(b))
				if len(places) > flips {
					places = places[:flips]
				}
				for _, at := range places {
					bit := rng.IntN(8)
					bad := slices.Clone(b)
					bad[at] ^= 1 << bit
					broken := fs.CrashClone(func() bool { return true })
					must(t, vfs.WriteFile(broken, name, bad))
					what := fmt.Sprintf("%s of %d bytes: byte %d, bit %d", name, len(b), at, bit)
					became := judge(t, broken, h, want, withoutLast, what)
					if became == torn && name != lastLog(names) {
						became = harmful
						t.Errorf("%s: a batch is missing", what)
					}
					total[became]++
					perFormat[format(name)]++
				}
			}
		})
	}
	for _, f := range []string{".seg", ".idx", ".wal", "MANIFEST", currentName, durableName} {
		if perFormat[f] == 0 {
			t.Errorf("no file of the format %s was there", f)
		}
	}
	n := 0
	for _, k := range total {
		n += k
	}
	t.Logf("flips by format: %v", perFormat)
	t.Logf("figure: flipped bits: %d, of which noticed %d, harmless %d, like the torn end of a log %d, undetected and harmful %d",
		n, total[refused], total[harmless], total[torn], total[harmful])
}

// flipped makes files of all formats: segments by flushes and compactions, with
// deletes among them, and a log with batches that are in no segment.
func flipped(t *testing.T, h *history) *vfs.Mem {
	t.Helper()
	ctx := context.Background()
	fs := vfs.NewMem()
	s, err := Open(fs, "shards/1", h.config())
	must(t, err)
	for range 3 {
		for range 3 {
			h.write(t, s, h.rows(8))
		}
		h.write(t, s, h.delete())
		must(t, s.Flush(ctx))
	}
	must(t, s.Compact(ctx))
	h.write(t, s, h.rows(8))
	must(t, s.Flush(ctx))
	for range 3 {
		h.write(t, s, h.rows(8))
	}
	died := fs.CrashClone(func() bool { return true })
	must(t, s.Close())
	return died
}

// judge opens the shard and reads all of it.
func judge(t *testing.T, fs vfs.FS, h *history, want, withoutLast map[cell]any, what string) outcome {
	t.Helper()
	s, err := Open(fs, "shards/1", h.config())
	if err != nil {
		return refused
	}
	defer s.Close() // what it says does not matter any more
	got, err := cells(s)
	switch {
	case err != nil:
		return refused
	case maps.Equal(got, want):
		return harmless
	case maps.Equal(got, withoutLast):
		return torn
	}
	t.Errorf("%s: got %d cells and no error, want %d", what, len(got), len(want))
	compare(t, got, want)
	return harmful
}

// cells reads all of a shard, up to the first error.
func cells(s *Shard) (map[cell]any, error) {
	r, err := s.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	all := map[cell]any{}
	for _, name := range r.Measurements() {
		series, err := r.Series(name, nil)
		if err != nil {
			return nil, err
		}
		fields := r.Fields(name)
		c := r.Scan(ScanOptions{Series: series, Fields: fields, Range: model.AllTime})
		for {
			g, err := c.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				c.Close()
				return nil, err
			}
			times, columns, err := g.Load()
			if err != nil {
				c.Close()
				return nil, err
			}
			key := string(r.Key(g.Series()))
			for i, f := range fields {
				for row, at := range times {
					if v := columns[i].Value(row); v != nil {
						all[cell{key, at, f}] = v
					}
				}
			}
		}
		c.Close()
	}
	return all, nil
}

// filesBelow gives the files of a shard, those of its log included.
func filesBelow(t *testing.T, fs vfs.FS, dir string) (names []string) {
	t.Helper()
	for _, sub := range []string{"", "log"} {
		list, err := fs.List(path.Join(dir, sub))
		must(t, err)
		for _, name := range list {
			if format(name) != "" {
				names = append(names, path.Join(dir, sub, name))
			}
		}
	}
	return names
}

// format tells the formats of files apart; empty is no file with contents.
func format(name string) string {
	name = path.Base(name)
	switch {
	case strings.HasPrefix(name, manifestPrefix):
		return strings.TrimSuffix(manifestPrefix, "-")
	case name == currentName || name == durableName:
		return name
	}
	return path.Ext(name)
}

// lastLog gives the log file that was written last.
func lastLog(names []string) (last string) {
	for _, name := range names {
		if format(name) == ".wal" {
			last = max(last, name)
		}
	}
	return last
}
