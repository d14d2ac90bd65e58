package vfs_test

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
)

// each runs a test on every file system: they behave alike.
func each(t *testing.T, test func(t *testing.T, fsys vfs.FS, dir string)) {
	t.Run("OS", func(t *testing.T) { test(t, vfs.OS, filepath.ToSlash(t.TempDir())) })
	t.Run("Mem", func(t *testing.T) { test(t, vfs.NewMem(), "") })
	t.Run("Overlay", func(t *testing.T) { test(t, vfs.NewOverlay(vfs.OS), filepath.ToSlash(t.TempDir())) })
	t.Run("Failing", func(t *testing.T) {
		test(t, vfs.NewFailing(vfs.NewMem(), func(vfs.Op) error { return nil }), "/")
	})
}

func TestFileSystemsBehaveAlike(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		sub := path.Join(dir, "a/b")
		must(t, fsys.MkdirAll(sub))
		must(t, fsys.MkdirAll(sub))
		name := path.Join(sub, "f")
		f, err := fsys.Create(name)
		must(t, err)
		_, err = f.Write([]byte("hello, "))
		must(t, err)
		must(t, f.Truncate(5))
		_, err = f.Write([]byte(" world"))
		must(t, err)
		must(t, f.Sync())
		must(t, fsys.SyncDir(sub))
		must(t, f.Close())

		f, err = fsys.OpenAppend(name)
		must(t, err)
		_, err = f.Write([]byte("!"))
		must(t, err)
		must(t, f.Close())
		f, err = fsys.Open(name)
		must(t, err)
		b, err := io.ReadAll(f)
		if err != nil || string(b) != "hello world!" {
			t.Errorf("ReadAll = %q, %v", b, err)
		}
		p := make([]byte, 8)
		if n, err := f.ReadAt(p, 6); n != 6 || err != io.EOF || string(p[:n]) != "world!" {
			t.Errorf("ReadAt = %d, %v, %q", n, err, p[:n])
		}
		if size, err := f.Size(); size != 12 || err != nil {
			t.Errorf("File.Size = %d, %v", size, err)
		}
		must(t, f.Close())
		if size, err := fsys.Size(name); size != 12 || err != nil {
			t.Errorf("FS.Size = %d, %v", size, err)
		}

		must(t, fsys.Rename(name, path.Join(sub, "g")))
		must(t, vfs.WriteFile(fsys, path.Join(sub, "e"), []byte("x")))
		names, err := fsys.List(sub)
		if err != nil || !slices.Equal(names, []string{"e", "g"}) {
			t.Errorf("List = %q, %v", names, err)
		}
		if err := fsys.Remove(sub); err == nil {
			t.Error("Remove of a directory that is not empty succeeded")
		}
		must(t, fsys.Remove(path.Join(sub, "e")))
		must(t, fsys.RemoveAll(path.Join(dir, "a")))
		must(t, fsys.RemoveAll(path.Join(dir, "a")))
		if free, err := fsys.Free(dir + "/"); free == 0 || err != nil {
			t.Errorf("Free = %d, %v", free, err)
		}
	})
}

func TestMissingFilesAreErrNotExist(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := path.Join(dir, "no/file")
		_, open := fsys.Open(name)
		_, openAppend := fsys.OpenAppend(name)
		_, create := fsys.Create(name)
		_, list := fsys.List(name)
		_, size := fsys.Size(name)
		for what, err := range map[string]error{
			"Open": open, "OpenAppend": openAppend, "Create": create, "List": list, "Size": size,
			"Remove": fsys.Remove(name), "Rename": fsys.Rename(name, name+"2"), "SyncDir": fsys.SyncDir(name),
		} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s = %v, want ErrNotExist", what, err)
			}
		}
	})
}

func TestLockHasOneHolder(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := path.Join(dir, "lock")
		first, err := fsys.Lock(name)
		must(t, err)
		if _, err := fsys.Lock(name); !errors.Is(err, vfs.ErrLocked) {
			t.Errorf("second Lock = %v, want ErrLocked", err)
		}
		must(t, first.Close())
		second, err := fsys.Lock(name)
		must(t, err)
		must(t, second.Close())
	})
}

func TestMapGivesTheBytes(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		for _, text := range []string{"", "some bytes"} {
			name := path.Join(dir, "f")
			must(t, vfs.WriteFile(fsys, name, []byte(text)))
			f, err := fsys.Open(name)
			must(t, err)
			m, err := vfs.Map(f)
			must(t, err)
			must(t, f.Close())
			if got := string(m.Bytes()); got != text {
				t.Errorf("Bytes = %q, want %q", got, text)
			}
			must(t, m.Close())
			must(t, m.Close())
		}
	})
}

func TestMapOutlivesTruncationInMemory(t *testing.T) {
	m := vfs.NewMem()
	f := write(t, m, "f", "before", true, true)
	mapping, err := vfs.Map(f)
	must(t, err)
	must(t, f.Truncate(0))
	_, err = f.Write([]byte("after!"))
	must(t, err)
	if got := string(mapping.Bytes()); got != "before" {
		t.Errorf("mapped bytes changed to %q", got)
	}
}

func TestReadFileHasALimit(t *testing.T) {
	m := vfs.NewMem()
	must(t, vfs.WriteFile(m, "f", make([]byte, 11)))
	if _, err := vfs.ReadFile(m, "f", 10); err == nil {
		t.Error("ReadFile of 11 bytes with a limit of 10 succeeded")
	}
}

func TestReadOnlyFileTakesNoWrites(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := path.Join(dir, "f")
		must(t, vfs.WriteFile(fsys, name, []byte("x")))
		f, err := fsys.Open(name)
		must(t, err)
		if _, err := f.Write([]byte("y")); err == nil {
			t.Error("Write to a file opened for reading succeeded")
		}
		must(t, f.Close())
		if _, err := f.Size(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Size of a closed file = %v, want ErrClosed", err)
		}
	})
}
