package tsm

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// written makes a shard with two files, a log, and a delete that is in the log.
func written(t *testing.T, mem vfs.FS) *history {
	t.Helper()
	s, h := newShard(t, mem, nil)
	h.write(t, s, h.points("m,a=b", 1, 2, 3))
	must(t, s.Flush(context.Background()))
	h.write(t, s, h.points("n,a=c", 1, 2))
	must(t, s.Flush(context.Background()))
	h.write(t, s, h.points("m,a=d", 4))
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: 1, Max: 1}}}))
	must(t, s.Close())
	return h
}

// snapshot gives every file of the shard.
func snapshot(t *testing.T, fsys vfs.FS, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, d := range []string{dir, LogDir(dir)} {
		names, err := fsys.List(d)
		must(t, err)
		for _, name := range names {
			if b, err := vfs.ReadFile(fsys, path.Join(d, name), 1<<20); err == nil {
				all[path.Join(d, name)] = string(b)
			}
		}
	}
	return all
}

func TestViewIsTheShardAndChangesNothing(t *testing.T) {
	mem := vfs.NewMem()
	h := written(t, mem)
	must(t, vfs.WriteFile(mem, "shards/1/000099.seg", []byte("left over")))
	before := snapshot(t, mem, "shards/1")
	fsys := vfs.NewFailing(mem, func(op vfs.Op) error {
		switch op.Kind {
		case vfs.OpOpen, vfs.OpList, vfs.OpSize, vfs.OpRead, vfs.OpClose, vfs.OpFree:
			return nil
		}
		t.Errorf("View does %v", op)
		return nil
	})
	s, err := View(fsys, "shards/1", true)
	must(t, err)
	h.check(t, s)
	must(t, s.Flush(context.Background()))
	must(t, s.Compact(context.Background()))
	h.check(t, s)
	must(t, s.Close())
	after := snapshot(t, mem, "shards/1")
	for name, text := range before {
		if after[name] != text || len(after) != len(before) {
			t.Errorf("%s was changed, of %d files there are %d", name, len(before), len(after))
		}
	}
	if s, err := View(mem, "shards/2", true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("View of no shard: %v, %v", s, err)
	}
}

func TestInspectFindsNothingInASoundShard(t *testing.T) {
	mem := vfs.NewMem()
	written(t, mem)
	in, err := Inspect(mem, "shards/1", func(f Finding) { t.Errorf("found %v", f) })
	must(t, err)
	if in.Files != 2 || in.Rows != 5 || in.Series != 2 || in.LogBatches == 0 || in.TornBytes != 0 || in.Unused != 0 {
		t.Errorf("Inspect gives %+v", in)
	}
}

// findings gives what Inspect finds.
func findings(t *testing.T, fsys vfs.FS) (all []Finding) {
	t.Helper()
	_, err := Inspect(fsys, "shards/1", func(f Finding) { all = append(all, f) })
	must(t, err)
	return all
}

func TestInspectFindsEveryDamagedByte(t *testing.T) {
	mem := vfs.NewMem()
	written(t, mem)
	files := snapshot(t, mem, "shards/1")
	for name, text := range files {
		step := max(len(text)/40, 1)
		for i := 0; i < len(text); i += step {
			bad := []byte(text)
			bad[i] ^= 0x55
			must(t, vfs.WriteFile(mem, name, bad))
			var found []Finding
			in, err := Inspect(mem, "shards/1", func(f Finding) { found = append(found, f) })
			must(t, err)
			if len(found) == 0 {
				// What the last sync wrote may be cut off, and is told.
				// And parts of an index file have zeros between them.
				if in.TornBytes == 0 && !(path.Ext(name) == indexSuffix && text[i] == 0) {
					t.Errorf("%s: byte %d damaged: nothing found", name, i)
				}
			} else if base := path.Base(name); !strings.Contains(found[0].String(), base) && !strings.Contains(found[0].String(), "manifest") && base != currentName {
				t.Errorf("%s: byte %d damaged: found %v, which does not name the file", name, i, found[0])
			}
		}
		must(t, vfs.WriteFile(mem, name, []byte(text)))
	}
	for name, text := range files {
		if base := path.Base(name); base == durableName || strings.HasSuffix(base, ".wal") && len(files) > 0 && isTail(files, name) {
			continue // a shard can do without; a log may end anywhere
		}
		must(t, mem.Remove(name))
		if len(findings(t, mem)) == 0 {
			t.Errorf("%s is missing: nothing found", name)
		}
		must(t, vfs.WriteFile(mem, name, []byte(text)))
	}
}

// isTail reports whether a log file is the first or the last.
func isTail(files map[string]string, name string) bool {
	before, after := false, false
	for other := range files {
		if path.Ext(other) == path.Ext(name) {
			before, after = before || other < name, after || other > name
		}
	}
	return !before || !after
}

func TestInspectNamesThePartThatIsDamaged(t *testing.T) {
	mem := vfs.NewMem()
	written(t, mem)
	s, err := View(mem, "shards/1", false)
	must(t, err)
	r, err := s.Reader()
	must(t, err)
	file := r.Files()[0]
	var name string
	var offset int64
	for seg := range file.Segments.Segments() {
		last := seg.Parts[len(seg.Parts)-1]
		name, offset = path.Join("shards/1", file.Name), last.Offset
	}
	must(t, r.Close())
	must(t, s.Close())
	b, err := vfs.ReadFile(mem, name, 1<<20)
	must(t, err)
	b[offset] ^= 1
	must(t, vfs.WriteFile(mem, name, b))
	found := findings(t, mem)
	if len(found) != 1 || found[0].Offset != offset || !strings.Contains(found[0].Part, `segment 0 of measurement "m"`) || !errors.Is(found[0].Err, model.ErrCorrupt) {
		t.Errorf("found %v, want the part at %d", found, offset)
	}
}

func TestInspectFindsASeriesThatTheIndexLacks(t *testing.T) {
	mem := vfs.NewMem()
	s, h := newShard(t, mem, nil)
	h.write(t, s, h.points("m,a=b", 1))
	must(t, s.Flush(context.Background()))
	must(t, s.Close())
	other := vfs.NewMem()
	s, h = newShard(t, other, nil)
	h.write(t, s, h.points("n,a=b", 1))
	must(t, s.Flush(context.Background()))
	must(t, s.Close())
	for name, text := range snapshot(t, other, "shards/1") {
		if path.Ext(name) == segmentSuffix {
			must(t, vfs.WriteFile(mem, name, []byte(text)))
		}
	}
	found := findings(t, mem)
	if len(found) == 0 || !strings.Contains(found[len(found)-1].String(), `series 0 of measurement "n"`) {
		t.Errorf("found %v, want a series of another measurement", found)
	}
}

// A flush trims the log after its manifest is in force: a view that began
// between the two finds a log file listed and then gone.
func TestViewBeginsAnewWhenALogFileGoesUnderIt(t *testing.T) {
	mem := vfs.NewMem()
	s, h := newShard(t, mem, nil)
	h.write(t, s, h.points("m", 1, 2, 3))
	must(t, s.Close())
	gone := 0
	fsys := vfs.NewFailing(mem, func(op vfs.Op) error {
		if op.Kind == vfs.OpOpen && path.Ext(op.Name) == ".wal" && gone == 0 {
			gone++
			return &fs.PathError{Op: "open", Path: op.Name, Err: fs.ErrNotExist}
		}
		return nil
	})
	view, err := View(fsys, "shards/1", true)
	must(t, err)
	if got := len(read(t, view, everything)); got != 3 || gone != 1 {
		t.Errorf("%d rows are seen of 3, %d files went away", got, gone)
	}
	must(t, view.Close())
}

func TestViewOfARunningShardLacksNothingAcknowledged(t *testing.T) {
	mem := vfs.NewMem()
	s, h := newShard(t, mem, nil)
	var acknowledged atomic.Int64
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := int64(1); i <= 3000 && !stop.Load(); i++ {
			if i%20 == 0 {
				runtime.Gosched() // or nothing is ever seen
			}
			if err := s.Write(context.Background(), h.points("m", i)); err != nil {
				t.Error(err)
				return
			}
			acknowledged.Store(i)
			if i%7 == 0 {
				if err := s.Flush(context.Background()); err != nil {
					t.Error(err)
				}
			}
			if i%50 == 0 {
				if err := s.Compact(context.Background()); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	seen := 0
	for writing := true; writing; {
		select {
		case <-done:
			writing = false
		default:
		}
		least := acknowledged.Load()
		view, err := View(mem, "shards/1", true)
		if errors.Is(err, model.ErrUnavailable) {
			continue // it changes faster than it can be read
		}
		if err != nil {
			t.Errorf("View: %v", err)
			break
		}
		seen++
		if got := len(read(t, view, everything)); int64(got) < least {
			t.Errorf("%d rows are seen of %d that were acknowledged before", got, least)
		}
		must(t, view.Close())
	}
	stop.Store(true)
	<-done
	view, err := View(mem, "shards/1", true)
	must(t, err)
	if got := len(read(t, view, everything)); int64(got) != acknowledged.Load() {
		t.Errorf("%d rows are seen of %d", got, acknowledged.Load())
	}
	must(t, view.Close())
	t.Logf("%d views while %d rows were written", seen, acknowledged.Load())
}
