package tsm

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

const (
	manifestOne = "shards/1/" + manifestPrefix + "000001"
	durableOne  = "shards/1/" + durableName
)

// keepAll is a crash that takes nothing.
func keepAll() bool { return true }

// overwrite makes name hold b.
func overwrite(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	must(t, vfs.WriteFile(fs, name, b))
}

func contentOfFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	b, err := vfs.ReadFile(fs, name, 1<<20)
	must(t, err)
	return b
}

// filesUnder gives the names in the shard's directory and in that of its log.
func filesUnder(t *testing.T, fs vfs.FS) []string {
	t.Helper()
	all, err := fs.List("shards/1")
	must(t, err)
	log, err := fs.List("shards/1/" + logDir)
	must(t, err)
	return append(all, log...)
}

// lastRecord gives where the last record of a manifest begins.
func lastRecord(t *testing.T, b []byte) int {
	t.Helper()
	last := 0
	for at := manifestHeader; at < len(b); {
		payload, ok := nextRecord(b[at:])
		if !ok {
			t.Fatalf("manifest is damaged at byte %d of %d", at, len(b))
		}
		last, at = at, at+recordHeader+len(payload)
	}
	return last
}

// wantCorrupt wants that the shard does not open, that the error says which
// manifest is damaged, and that nothing is removed.
func wantCorrupt(t *testing.T, fs vfs.FS, cfg Config, what string) {
	t.Helper()
	before := filesUnder(t, fs)
	s, err := Open(fs, "shards/1", cfg)
	if err == nil {
		must(t, s.Close())
	}
	if !errors.Is(err, model.ErrCorrupt) || !strings.Contains(err.Error(), manifestName(1)) {
		t.Errorf("%s: Open: %v, want ErrCorrupt that names %s", what, err, manifestName(1))
	}
	if after := filesUnder(t, fs); !slices.Equal(after, before) {
		t.Errorf("%s: Open left %q of %q", what, after, before)
	}
}

// flushedTwice gives a closed shard whose manifest has three records.
func flushedTwice(t *testing.T) (*vfs.Mem, *history) {
	t.Helper()
	fs := vfs.NewMem()
	s, h := newShard(t, fs, nil)
	for _, key := range []string{"m", "n"} {
		h.write(t, s, h.points(key, 1, 2))
		must(t, s.Flush(context.Background()))
	}
	must(t, s.Close())
	return fs, h
}

func TestDamageToTheLastDurableRecordIsNoTornEnd(t *testing.T) {
	fs, h := flushedTwice(t)
	clean := contentOfFile(t, fs, manifestOne)
	last := lastRecord(t, clean)
	for i := last; i < len(clean); i++ {
		b := bytes.Clone(clean)
		b[i] ^= 0x10
		overwrite(t, fs, manifestOne, b)
		wantCorrupt(t, fs, h.config(), "a byte of the last record damaged")
		overwrite(t, fs, manifestOne, clean[:i])
		wantCorrupt(t, fs, h.config(), "the last record cut off")
	}
	zeroed := append(bytes.Clone(clean[:last]), make([]byte, len(clean)-last)...)
	overwrite(t, fs, manifestOne, zeroed)
	wantCorrupt(t, fs, h.config(), "the last record zeroed")

	overwrite(t, fs, manifestOne, clean)
	s, err := Open(fs, "shards/1", h.config())
	must(t, err)
	h.check(t, s)
	must(t, s.Close())
}

func TestRecordCutOffInACrashIsDropped(t *testing.T) {
	fs, h := flushedTwice(t)
	clean := contentOfFile(t, fs, manifestOne)
	overwrite(t, fs, manifestOne, append(clean, appendRecord(nil, exampleEdit())[:50]...))
	for range 2 {
		s, err := Open(fs, "shards/1", h.config())
		must(t, err)
		h.check(t, s)
		h.write(t, s, h.points("m", 3))
		must(t, s.Flush(context.Background()))
		must(t, s.Close())
	}
}

func TestOpenMakesDurableWhatItActsOn(t *testing.T) {
	// The crash comes when the last record is synced and nothing says so yet.
	mem, crash := vfs.NewMem(), false
	var after *vfs.Mem
	s, h := newShard(t, vfs.NewFailing(mem, func(op vfs.Op) error {
		if crash && after == nil && op.Kind == vfs.OpCreate && op.Name == durableOne+tmpSuffix {
			after = mem.CrashClone(nil)
		}
		return nil
	}), nil)
	h.write(t, s, h.points("m", 1))
	must(t, s.Flush(context.Background()))
	h.write(t, s, h.points("m", 2))
	crash = true
	must(t, s.Flush(context.Background()))

	synced := false
	s, err := Open(vfs.NewFailing(after, func(op vfs.Op) error {
		synced = synced || op.Kind == vfs.OpSync && op.Name == manifestOne
		if op.Kind == vfs.OpCreate && op.Name == durableOne+tmpSuffix && !synced {
			t.Error("the manifest is said to be durable before its sync")
		}
		return nil
	}), "shards/1", h.config())
	must(t, err)
	h.check(t, s)
	must(t, s.Close())
	b := contentOfFile(t, after, manifestOne)
	b[len(b)-1] ^= 1
	overwrite(t, after, manifestOne, b)
	wantCorrupt(t, after, h.config(), "damaged after a start")
}

func TestOlderManifestInForceThanWasDurableIsCorrupt(t *testing.T) {
	fs, h := flushedTwice(t)
	overwrite(t, fs, durableOne, durable{number: 2, size: 10}.append(nil))
	wantCorrupt(t, fs, h.config(), "CURRENT has gone back")
}

func TestDurableFileWithoutCurrentIsCorrupt(t *testing.T) {
	fs := vfs.NewMem()
	must(t, vfs.MkdirAll(fs, "shards/1"))
	overwrite(t, fs, durableOne, durable{number: 1, size: 150}.append(nil))
	if _, err := Open(fs, "shards/1", newHistory(1).config()); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("Open: %v, want ErrCorrupt", err)
	}
}

func TestShardOpensWithoutAGoodDurableFile(t *testing.T) {
	unreadable := false
	for _, tt := range []struct {
		name   string
		spoil  func(t *testing.T, fs vfs.FS)
		logged bool
	}{
		{"missing", func(t *testing.T, fs vfs.FS) { must(t, fs.Remove(durableOne)) }, false},
		{"of an older manifest", func(t *testing.T, fs vfs.FS) {
			overwrite(t, fs, durableOne, durable{number: 0, size: 1 << 20}.append(nil))
		}, false},
		{"empty", func(t *testing.T, fs vfs.FS) { overwrite(t, fs, durableOne, nil) }, true},
		{"too long", func(t *testing.T, fs vfs.FS) { overwrite(t, fs, durableOne, make([]byte, 1<<20)) }, true},
		{"a bit flipped", func(t *testing.T, fs vfs.FS) {
			b := contentOfFile(t, fs, durableOne)
			b[len(manifestName(1))+1] ^= 1
			overwrite(t, fs, durableOne, b)
		}, true},
		{"not to be read", func(*testing.T, vfs.FS) { unreadable = true }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mem, h := flushedTwice(t)
			whole := contentOfFile(t, mem, durableOne)
			tt.spoil(t, mem)
			var logged bytes.Buffer
			cfg := h.config()
			cfg.Log = slog.New(slog.NewTextHandler(&logged, nil))
			s, err := Open(vfs.NewFailing(mem, func(op vfs.Op) error {
				if unreadable && op.Kind == vfs.OpRead && op.Name == durableOne {
					return syscall.EIO
				}
				return nil
			}), "shards/1", cfg)
			unreadable = false
			must(t, err)
			h.check(t, s)
			must(t, s.Close())
			if got := strings.Contains(logged.String(), durableName); got != tt.logged {
				t.Errorf("damage logged: %v, want %v:\n%s", got, tt.logged, logged.String())
			}
			if b := contentOfFile(t, mem, durableOne); !bytes.Equal(b, whole) {
				t.Errorf("after the start %s says %q, want %q", durableName, b, whole)
			}
		})
	}
}

func TestDurableFileThatCannotBeReadForNowIsNotDamage(t *testing.T) {
	mem, h := flushedTwice(t)
	b := contentOfFile(t, mem, manifestOne)
	overwrite(t, mem, manifestOne, b[:len(b)-1])
	before := filesUnder(t, mem)
	fs := vfs.NewFailing(mem, func(op vfs.Op) error {
		if op.Kind == vfs.OpOpen && op.Name == durableOne {
			return syscall.EMFILE
		}
		return nil
	})
	if s, err := Open(fs, "shards/1", h.config()); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("Open without descriptors: %v, %v, want ErrUnavailable", s, err)
	}
	if after := filesUnder(t, mem); !slices.Equal(after, before) {
		t.Errorf("Open left %q of %q", after, before)
	}
}

// noRoom gives a file system on which, when full says so, there is no room for
// what says that the manifest is durable.
func noRoom(mem *vfs.Mem, full *bool) vfs.FS {
	return vfs.NewFailing(mem, func(op vfs.Op) error {
		if *full && op.Kind == vfs.OpWrite && op.Name == durableOne+tmpSuffix {
			return syscall.ENOSPC
		}
		return nil
	})
}

func TestNothingIsLetGoBeforeItIsKnownWhatIsDurable(t *testing.T) {
	mem, full := vfs.NewMem(), true
	s, h := newShard(t, noRoom(mem, &full), nil)
	h.write(t, s, h.points("m", 1, 2))
	log := s.Info().LogBytes
	if err := s.Flush(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Flush on a full disk: %v, want ENOSPC", err)
	}
	if n := s.Info().LogBytes; n < log {
		t.Errorf("the log has %d of %d bytes after a failed flush", n, log)
	}
	h.check(t, s)
	after := mem.CrashClone(keepAll)
	// The next manifest says everything in its first record, which CURRENT vouches for.
	must(t, s.Flush(context.Background()))
	h.check(t, s)
	if files := filesOf(t, mem, segmentSuffix); len(files) != 1 {
		t.Errorf("after a failed flush and a good one there are %q", files)
	}

	again, err := Open(noRoom(after, &full), "shards/1", h.config())
	must(t, err)
	h.check(t, again)
	if n := again.Info().LogBytes; n < log {
		t.Errorf("the log has %d of %d bytes after a start on a full disk", n, log)
	}
	must(t, again.Flush(context.Background()))
	must(t, again.Compact(context.Background()))
	h.write(t, again, h.points("m", 3))
	h.check(t, again)
	must(t, again.Close())
	again, err = Open(after, "shards/1", h.config())
	must(t, err)
	h.check(t, again)
	must(t, again.Close())
}

func TestStartOnAFullDiskRemovesNothing(t *testing.T) {
	mem, h := flushedTwice(t)
	must(t, mem.Remove(durableOne)) // as before there was this file
	overwrite(t, mem, "shards/1/000099"+segmentSuffix, nil)
	before, full := filesUnder(t, mem), true
	s, err := Open(noRoom(mem, &full), "shards/1", h.config())
	must(t, err)
	h.check(t, s)
	if after := filesUnder(t, mem); !slices.Equal(after, before) {
		t.Errorf("Open left %q of %q", after, before)
	}
	must(t, s.Close())
}

func TestDurableFileIsAsFormatSays(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	must(t, err)
	want := regexp.MustCompile(`(?m)^    (MANIFEST-\d+ \d+ [0-9a-f]+\n)`).FindSubmatch(text)
	if want == nil {
		t.Fatal("FORMAT.md has no example")
	}
	d := durable{number: 1, size: len(example(t, "FORMAT.md"))}
	if got := d.append(nil); !bytes.Equal(got, want[1]) {
		t.Errorf("%s is %q, FORMAT.md says %q", durableName, got, want[1])
	}
	if back, err := decodeDurable(want[1]); err != nil || back != d {
		t.Errorf("decodeDurable(%q) = %v, %v, want %v", want[1], back, err, d)
	}
}

func FuzzDecodeDurable(f *testing.F) {
	good := durable{number: 1, size: 150}.append(nil)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte("MANIFEST-1 150 00000000\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeDurable(b)
		if err == nil && !bytes.Equal(d.append(nil), b) || err != nil && !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("decodeDurable(%q) = %v, %v", b, d, err)
		}
	})
}

// checkVouched wants, of what is about to be removed of the shard in fs, that no
// later damage to the manifest can bring back a state that needs it.
func checkVouched(t *testing.T, fs *vfs.Mem, h *history, op vfs.Op, what string) {
	t.Helper()
	if op.Kind != vfs.OpRemove || !slices.Contains([]string{segmentSuffix, indexSuffix, ".wal"}, path.Ext(op.Name)) {
		return
	}
	fs = fs.CrashClone(nil)
	name := "shards/1/" + strings.TrimSpace(string(contentOfFile(t, fs, "shards/1/"+currentName)))
	b := contentOfFile(t, fs, name)
	_, whole, err := decodeManifest(b)
	must(t, err)
	b[whole-1] ^= 1
	overwrite(t, fs, name, b)
	if _, err := Open(fs, "shards/1", h.config()); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("%s: before %v the last record can be damaged: Open: %v, want ErrCorrupt", what, op, err)
	}
}
