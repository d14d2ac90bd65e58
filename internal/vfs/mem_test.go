package vfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/internal/vfs"
)

func all() bool { return true }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write creates name with content, and syncs file and directory as asked.
func write(t *testing.T, m vfs.FS, name, content string, sync, syncDir bool) vfs.File {
	t.Helper()
	f, err := m.Create(name)
	must(t, err)
	_, err = f.Write([]byte(content))
	must(t, err)
	if sync {
		must(t, f.Sync())
	}
	if syncDir {
		must(t, m.SyncDir("."))
	}
	return f
}

// content gives a file's text, or "-" when it does not exist.
func content(t *testing.T, m vfs.FS, name string) string {
	t.Helper()
	b, err := vfs.ReadFile(m, name, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	must(t, err)
	return string(b)
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	tests := []struct {
		name          string
		sync, syncDir bool
		none, kept    string // without and with everything unsynced
	}{
		{"nothing synced", false, false, "-", "data"},
		{"file synced, name not", true, false, "-", "data"},
		{"name synced, file not", false, true, "", "data"},
		{"both synced", true, true, "data", "data"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := vfs.NewMem()
			write(t, m, "f", "data", tt.sync, tt.syncDir)
			if got := content(t, m.CrashClone(nil), "f"); got != tt.none {
				t.Errorf("a crash that keeps nothing left %q, want %q", got, tt.none)
			}
			if got := content(t, m.CrashClone(all), "f"); got != tt.kept {
				t.Errorf("a crash that keeps all left %q, want %q", got, tt.kept)
			}
			if got := content(t, m, "f"); got != "data" {
				t.Errorf("the crashed file system itself has %q", got)
			}
		})
	}
}

func TestCrashRenameIsOldOrNewNeverNeither(t *testing.T) {
	m := vfs.NewMem()
	write(t, m, "a", "old", true, true)
	write(t, m, "b", "new", true, true)
	must(t, m.Rename("b", "a"))
	if got := content(t, m, "a") + content(t, m, "b"); got != "new-" {
		t.Fatalf("after the rename a and b are %q", got)
	}
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		c := m.CrashClone(func() bool { return rng.IntN(2) == 0 })
		switch got := content(t, c, "a") + content(t, c, "b"); got {
		case "new-", "oldnew":
		default:
			t.Errorf("after the crash a and b are %q", got)
		}
	}
	must(t, m.SyncDir("."))
	if got := content(t, m.CrashClone(nil), "a"); got != "new" {
		t.Errorf("after SyncDir and a crash a is %q", got)
	}
}

func TestCrashMayUndoARemove(t *testing.T) {
	m := vfs.NewMem()
	write(t, m, "f", "data", true, true)
	must(t, m.Remove("f"))
	if got := content(t, m.CrashClone(nil), "f"); got != "data" {
		t.Errorf("an unsynced remove left %q, want the file back", got)
	}
	must(t, m.SyncDir("."))
	if got := content(t, m.CrashClone(nil), "f"); got != "-" {
		t.Errorf("a synced remove left %q", got)
	}
}

func TestCrashTearsAtSectors(t *testing.T) {
	m := vfs.NewMem()
	f := write(t, m, "f", strings.Repeat("a", 700), true, true)
	_, err := f.Write([]byte(strings.Repeat("b", 2000)))
	must(t, err)
	rng := seeded.Rand(t)
	torn, holes := 0, 0
	for range 200 {
		got := content(t, m.CrashClone(func() bool { return rng.IntN(2) == 0 }), "f")
		if len(got) < 700 || got[:700] != strings.Repeat("a", 700) {
			t.Fatalf("synced bytes are gone: %d bytes left", len(got))
		}
		for i := 700; i < len(got); i++ {
			if got[i] != 'b' && got[i] != 0 {
				t.Fatalf("byte %d is %q", i, got[i])
			}
			if i%512 != 0 && i > 700 && got[i] != got[i-1] {
				t.Fatalf("sector torn at byte %d", i)
			}
		}
		if len(got) > 700 && len(got) < 2700 {
			torn++
		}
		if i := strings.IndexByte(got, 0); i >= 0 && strings.Contains(got[i:], "b") {
			holes++
		}
	}
	if torn == 0 || holes == 0 {
		t.Errorf("200 crashes: %d torn, %d with holes; want some of each", torn, holes)
	}
}

func TestCrashMayUndoATruncation(t *testing.T) {
	m := vfs.NewMem()
	f := write(t, m, "f", "0123456789", true, true)
	must(t, f.Truncate(4))
	_, err := f.Write([]byte("ab"))
	must(t, err)
	if got := content(t, m, "f"); got != "0123ab" {
		t.Fatalf("truncated and written: %q", got)
	}
	if got := content(t, m.CrashClone(nil), "f"); got != "0123456789" {
		t.Errorf("nothing kept: %q", got)
	}
	if got := content(t, m.CrashClone(all), "f"); got != "0123ab" {
		t.Errorf("all kept: %q", got)
	}
	must(t, f.Sync())
	if got := content(t, m.CrashClone(nil), "f"); got != "0123ab" {
		t.Errorf("synced: %q", got)
	}
}

func TestCrashCloneIsIndependent(t *testing.T) {
	m := vfs.NewMem()
	f := write(t, m, "f", "one", true, true)
	c := m.CrashClone(nil)
	_, err := f.Write([]byte(" of the old"))
	must(t, err)
	g, err := c.OpenAppend("f")
	must(t, err)
	_, err = g.Write([]byte(" of the new"))
	must(t, err)
	if a, b := content(t, m, "f"), content(t, c, "f"); a != "one of the old" || b != "one of the new" {
		t.Errorf("old %q, new %q", a, b)
	}
}

func TestCrashLosesDirectoriesThatWereNotSynced(t *testing.T) {
	m := vfs.NewMem()
	must(t, m.MkdirAll("a/b"))
	write(t, m, "a/b/f", "data", true, false)
	must(t, m.SyncDir("a/b"))
	if got := content(t, m.CrashClone(nil), "a/b/f"); got != "-" {
		t.Errorf("file below unsynced directories is %q", got)
	}
	must(t, vfs.MkdirAll(m, "c/d"))
	write(t, m, "c/d/f", "data", true, false)
	must(t, m.SyncDir("c/d"))
	if got := content(t, m.CrashClone(nil), "c/d/f"); got != "data" {
		t.Errorf("file below directories made by vfs.MkdirAll is %q", got)
	}
}

func TestMkdirAllIsDurableAfterAFailureAndAnotherTry(t *testing.T) {
	for n := int64(1); ; n++ {
		m := vfs.NewMem()
		failed := vfs.MkdirAll(vfs.NewFailing(m, vfs.FailNth(n, syscall.EIO)), "a/b/c") != nil
		must(t, vfs.MkdirAll(m, "a/b/c"))
		if _, err := m.CrashClone(nil).List("a/b/c"); err != nil {
			t.Errorf("operation %d failed, tried again, crashed: %v", n, err)
		}
		if !failed {
			break
		}
	}
}

func TestCrashIsRepeatable(t *testing.T) {
	m := vfs.NewMem()
	for i := range 20 {
		write(t, m, fmt.Sprint("f", i), strings.Repeat("x", 1500), i%2 == 0, i%5 == 0)
	}
	crash := func() string {
		rng := rand.New(rand.NewPCG(1, 2))
		c := m.CrashClone(func() bool { return rng.IntN(2) == 0 })
		var b strings.Builder
		for i := range 20 {
			b.WriteString(content(t, c, fmt.Sprint("f", i)))
		}
		return b.String()
	}
	if a, b := crash(), crash(); a != b {
		t.Error("two crashes with one seed left different files")
	}
}

func TestFullDiskStoresWhatFits(t *testing.T) {
	m := vfs.NewMem()
	m.SetCapacity(10)
	f := write(t, m, "f", "1234567", false, false)
	n, err := f.Write([]byte("89abc"))
	if n != 3 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Write = %d, %v; want 3, ENOSPC", n, err)
	}
	if free, _ := m.Free("."); free != 0 {
		t.Errorf("Free = %d", free)
	}
	must(t, f.Truncate(7))
	if free, _ := m.Free("."); free != 3 {
		t.Errorf("Free after Truncate = %d, want 3", free)
	}
	must(t, m.Remove("f"))
	if got := m.Used(); got != 0 {
		t.Errorf("Used after Remove = %d", got)
	}
	_, err = f.Write([]byte("more"))
	must(t, err)
	if got := m.Used(); got != 0 {
		t.Errorf("Used after writing to a removed file = %d", got)
	}
}

func TestFailedSyncLosesItsPages(t *testing.T) {
	m := vfs.NewMem()
	write(t, m, "f", "aa", true, true)
	ff := vfs.NewFailing(m, vfs.FailNth(1, syscall.EIO, vfs.OpSync))
	f, err := ff.OpenAppend("f")
	must(t, err)
	_, err = f.Write([]byte("bb"))
	must(t, err)
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Sync = %v, want EIO", err)
	}
	_, err = f.Write([]byte("cc"))
	must(t, err)
	must(t, f.Sync())
	if got := content(t, m, "f"); got != "aabbcc" {
		t.Errorf("in the page cache: %q", got)
	}
	if got := content(t, m.CrashClone(all), "f"); got != "aa\x00\x00cc" {
		t.Errorf("on the disk: %q, want a hole where the failed sync was", got)
	}
}

func TestHookMayCrashAtEveryOperation(t *testing.T) {
	m := vfs.NewMem()
	var ops []string
	f := vfs.NewFailing(m, func(op vfs.Op) error {
		if op.Kind.Mutates() {
			ops = append(ops, op.String())
			m.CrashClone(nil)
		}
		return nil
	})
	must(t, vfs.WriteFile(f, "current", []byte("7")))
	want := "create current.tmp, write current.tmp, sync current.tmp, rename current.tmp, sync dir ."
	if got := strings.Join(ops, ", "); got != want {
		t.Errorf("operations: %s\nwant: %s", got, want)
	}
}

func TestWriteFileIsOldOrNewAtEveryCrash(t *testing.T) {
	rng := seeded.Rand(t)
	m := vfs.NewMem()
	must(t, vfs.WriteFile(m, "f", []byte("old")))
	f := vfs.NewFailing(m, func(vfs.Op) error {
		for range 10 {
			c := m.CrashClone(func() bool { return rng.IntN(2) == 0 })
			if got := content(t, c, "f"); got != "old" && got != "new" {
				t.Errorf("crash left %q", got)
			}
		}
		return nil
	})
	must(t, vfs.WriteFile(f, "f", []byte("new")))
	if got := content(t, m.CrashClone(nil), "f"); got != "new" {
		t.Errorf("after WriteFile a crash left %q", got)
	}
}

func TestWriteFileLeavesNothingBehindWhenItFails(t *testing.T) {
	for n := int64(1); ; n++ {
		m := vfs.NewMem()
		must(t, vfs.WriteFile(m, "f", []byte("old")))
		f := vfs.NewFailing(m, vfs.FailNth(n, syscall.ENOSPC, vfs.OpCreate, vfs.OpWrite, vfs.OpSync, vfs.OpRename))
		err := vfs.WriteFile(f, "f", []byte("new"))
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("failure %d: %v", n, err)
		}
		if names, _ := m.List("."); len(names) != 1 || content(t, m, "f") != "old" {
			t.Errorf("failure %d left %v, f = %q", n, names, content(t, m, "f"))
		}
	}
}

func TestShortWriteStoresItsPart(t *testing.T) {
	m := vfs.NewMem()
	f := vfs.NewFailing(m, func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite {
			return &vfs.ShortWrite{N: 2, Err: syscall.ENOSPC}
		}
		return nil
	})
	file, err := f.Create("f")
	must(t, err)
	if n, err := file.Write([]byte("abcd")); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Write = %d, %v", n, err)
	}
	if got := content(t, m, "f"); got != "ab" {
		t.Errorf("stored %q", got)
	}
}
