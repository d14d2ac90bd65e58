//go:build unix

package segment

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// A page that cannot be read faults. Cutting the file under its mapping brings
// that about as a failing disk does.
func TestPageThatCannotBeReadIsAnError(t *testing.T) {
	content := smallFile(t, true)
	cut := func(mapped bool) *Reader {
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := vfs.OS.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := open(f, mapped)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		if err := os.Truncate(name, 0); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, touch := range map[string]func(r *Reader) error{
		"all rows": readAll,
		"Verify":   Verify,
		"AppendSeries": func(r *Reader) error {
			_, err := r.AppendSeries(nil, "m")
			return err
		},
		"Has": func(r *Reader) error {
			_, err := r.Has("m", 4)
			return err
		},
		"Seek": func(r *Reader) error {
			var c Cursor
			c.Reset(r, "m", r.Fields("m"))
			_, err := c.Seek(4)
			return err
		},
	} {
		for _, mapped := range []bool{true, false} {
			r := cut(mapped)
			// Twice: what a fault left half read must not be taken for whole.
			for range 2 {
				if err := touch(r); !errors.Is(err, model.ErrCorrupt) {
					t.Errorf("%s of a file that was cut, mapped %v, gave %v, want ErrCorrupt", name, mapped, err)
				}
			}
		}
	}
}

func TestPageThatGoesAwayWhileGranulesAreReadIsAnError(t *testing.T) {
	for _, part := range []string{"Times", "Versions", "Column", "Stats"} {
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, smallFile(t, true), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := vfs.OS.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := open(f, true)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var c Cursor
		c.Reset(r, "m", r.Fields("m"))
		if ok, err := c.Seek(4); !ok || err != nil {
			t.Fatalf("Seek gave %v, %v", ok, err)
		}
		if err := os.Truncate(name, 0); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			switch part {
			case "Times":
				_, err = c.Times(0)
			case "Versions":
				_, err = c.Versions(0)
			case "Column":
				_, err = c.Column(0, 1)
			case "Stats":
				_, _, err = c.Stats(0, 1)
			}
			if !errors.Is(err, model.ErrCorrupt) {
				t.Errorf("%s of a file that was cut gave %v, want ErrCorrupt", part, err)
			}
		}
	}
}
