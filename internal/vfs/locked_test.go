package vfs_test

import (
	"path"
	"path/filepath"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
)

func TestLockedTellsOfAHolderAndTakesNothing(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	name := path.Join(dir, "lock")
	ask := func(want bool) {
		t.Helper()
		if held, err := vfs.Locked(name); held != want || err != nil {
			t.Errorf("Locked = %v, %v; want %v", held, err, want)
		}
	}
	ask(false)
	if names, err := vfs.OS.List(dir); len(names) != 0 || err != nil {
		t.Errorf("asking made %q, %v", names, err)
	}
	l, err := vfs.OS.Lock(name)
	must(t, err)
	ask(true)
	must(t, l.Close())
	ask(false)
	l, err = vfs.OS.Lock(name)
	must(t, err)
	must(t, l.Close())
}
