package segment

import (
	"fmt"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

// copyOf writes what r holds into another file, granules that are alone by
// Copy and the others by Append.
func copyOf(t *testing.T, r *Reader, opt Options) *file {
	t.Helper()
	f := &file{}
	opt.Versioned = r.Meta().Versioned
	w := NewWriter(f, opt)
	for i, v := range r.Versions() {
		if n := w.Version(v); int(n) != i {
			t.Fatalf("version %d got number %d", i, n)
		}
	}
	if !opt.Versioned {
		w.Cover(r.Meta().MinVersion, r.Meta().MaxVersion)
	}
	for _, m := range r.Measurements() {
		copyMeasurement(t, w, r, m)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatalf("finish: %v", err)
	}
	return f
}

func copyMeasurement(t *testing.T, w *Writer, r *Reader, name string) {
	t.Helper()
	var c Cursor
	c.Reset(r, name, r.Fields(name))
	for {
		ok, err := c.Next()
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		if !ok {
			return
		}
		for g := range c.Granules() {
			versions, err := c.Versions(g)
			if err == nil && c.Alone(g) {
				err = w.Copy(name, c.Series(), &c, g, versions)
			} else if err == nil {
				err = w.Append(name, c.Series(), rowsOf(t, &c, g, versions))
			}
			if err != nil {
				t.Fatalf("series %d, granule %d: %v", c.Series(), g, err)
			}
		}
	}
}

// rowsOf decodes a granule.
func rowsOf(t *testing.T, c *Cursor, g int, versions []uint32) *Rows {
	t.Helper()
	times, err := c.Times(g)
	rows := &Rows{Times: times, Versions: versions}
	for i := range c.fields {
		var column *model.Column
		if err == nil {
			column, err = c.Column(g, i)
		}
		if err != nil {
			t.Fatalf("granule %d: %v", g, err)
		}
		rows.Columns = append(rows.Columns, *column)
	}
	return rows
}

func TestCopiesOfCopiesEqualTheOriginal(t *testing.T) {
	r := seeded.Rand(t)
	for i := range 6 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			d := randomData(r, i%2 == 1)
			f, _ := d.write(t, r, 5000)
			for generation := range 3 {
				reader, err := OpenBytes(f.content)
				if err != nil {
					t.Fatalf("open of generation %d: %v", generation, err)
				}
				d.check(t, reader)
				if err := Verify(reader); err != nil {
					t.Fatalf("verify of generation %d: %v", generation, err)
				}
				f = copyOf(t, reader, Options{SegmentBytes: []int{300, 5000, 0}[r.IntN(3)]})
			}
		})
	}
}
