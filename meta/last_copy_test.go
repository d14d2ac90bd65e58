package meta

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

func TestLastCopyIsReadWithoutItsServer(t *testing.T) {
	fsys := vfs.NewMem()
	if _, err := LastCopy(fsys, "meta"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LastCopy without a copy: %v, want ErrNotExist", err)
	}
	if err := fsys.MkdirAll("meta"); err != nil {
		t.Fatal(err)
	}
	for _, cluster := range []string{"varve", "our others"} {
		want := exampleSnapshot(t)
		b := encodeCopy(newKeyspace(cluster), want)
		// The groups of the example have the keys of the default folder.
		if cluster == "varve" {
			b = encodeCopy(keys, want)
		}
		if err := vfs.WriteFile(fsys, "meta/"+copyFile, b); err != nil {
			t.Fatal(err)
		}
		got, err := LastCopy(fsys, "meta")
		if err != nil {
			t.Fatal(err)
		}
		if cluster == "varve" {
			if diff := cmp.Diff(dump(want), dump(got)); diff != "" {
				t.Errorf("LastCopy (+), want (-):\n%s", diff)
			}
		} else if len(got.Databases()) != len(want.Databases()) {
			t.Errorf("%d databases of another folder, want %d", len(got.Databases()), len(want.Databases()))
		}
		b[len(b)/2] ^= 1
		if err := vfs.WriteFile(fsys, "meta/"+copyFile, b); err != nil {
			t.Fatal(err)
		}
		if _, err := LastCopy(fsys, "meta"); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("LastCopy of a damaged copy: %v, want ErrCorrupt", err)
		}
	}
}
