package vfs_test

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
)

// below gives the names and contents of a directory.
func below(t *testing.T, fsys vfs.FS, dir string) map[string]string {
	t.Helper()
	names, err := fsys.List(dir)
	must(t, err)
	all := map[string]string{}
	for _, name := range names {
		b, err := vfs.ReadFile(fsys, path.Join(dir, name), 1<<20)
		must(t, err)
		all[name] = string(b)
	}
	return all
}

func TestOverlayLeavesWhatIsBelowAlone(t *testing.T) {
	base := vfs.NewMem()
	must(t, base.MkdirAll("d"))
	for _, name := range []string{"grown", "cut", "removed", "replaced", "renamed", "as-it-was"} {
		must(t, vfs.WriteFile(base, "d/"+name, []byte("old "+name)))
	}
	before := below(t, base, "d")

	o := vfs.NewOverlay(base)
	f, err := o.OpenAppend("d/grown")
	must(t, err)
	_, err = f.Write([]byte(" and new"))
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
	f, err = o.OpenAppend("d/cut")
	must(t, err)
	must(t, f.Truncate(3))
	must(t, f.Close())
	must(t, o.Remove("d/removed"))
	must(t, vfs.WriteFile(o, "d/replaced", []byte("new")))
	must(t, o.Rename("d/renamed", "d/moved"))
	must(t, vfs.WriteFile(o, "d/made", []byte("made")))

	want := map[string]string{
		"grown": "old grown and new", "cut": "old", "replaced": "new", "moved": "old renamed", "made": "made", "as-it-was": "old as-it-was",
	}
	got := below(t, o, "d")
	if len(got) != len(want) {
		t.Errorf("the overlay has %q, want %q", got, want)
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s is %q over the overlay, want %q", name, got[name], text)
		}
	}
	after := below(t, base, "d")
	for name, text := range before {
		if after[name] != text || len(after) != len(before) {
			t.Errorf("below, %s became %q, of %d files", name, after[name], len(after))
		}
	}
}

func TestOverlayForgetsADirectory(t *testing.T) {
	base := vfs.NewMem()
	must(t, base.MkdirAll("d/e"))
	must(t, vfs.WriteFile(base, "d/e/f", []byte("x")))
	o := vfs.NewOverlay(base)
	must(t, o.RemoveAll("d"))
	if _, err := o.Open("d/e/f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of a file of a removed directory = %v, want ErrNotExist", err)
	}
	must(t, o.MkdirAll("d/e"))
	if names, err := o.List("d/e"); err != nil || !slices.Equal(names, []string{}) {
		t.Errorf("List of a directory made anew = %q, %v", names, err)
	}
}
