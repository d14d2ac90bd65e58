package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/tsm/block"
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
	if r.foot.covered && !opt.Versioned {
		w.Cover(r.Meta().MinVersion, r.Meta().MaxVersion)
	}
	for _, m := range r.Measurements() {
		if err := copyMeasurement(w, r, m); err != nil {
			t.Fatalf("copy of %q: %v", m, err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatalf("finish: %v", err)
	}
	return f
}

func copyMeasurement(w *Writer, r *Reader, name string) error {
	var c Cursor
	c.Reset(r, name, r.Fields(name))
	for {
		ok, err := c.Next()
		if !ok || err != nil {
			return err
		}
		for g := range c.Granules() {
			versions, err := c.Versions(g)
			if err == nil && c.Alone(g) {
				err = w.Copy(name, c.Series(), &c, g, versions)
			} else if err == nil {
				err = appendGranule(w, name, &c, g, versions)
			}
			if err != nil {
				return fmt.Errorf("series %d, granule %d: %w", c.Series(), g, err)
			}
		}
	}
}

// appendGranule decodes a granule and adds it to w.
func appendGranule(w *Writer, name string, c *Cursor, g int, versions []uint32) error {
	times, err := c.Times(g)
	if err != nil {
		return err
	}
	rows := Rows{Times: times, Versions: versions}
	for i := range c.fields {
		column, err := c.Column(g, i)
		if err != nil {
			return err
		}
		rows.Columns = append(rows.Columns, *column)
	}
	return w.Append(name, c.Series(), &rows)
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
				f = copyOf(t, reader, Options{
					SegmentBytes: []int{300, 5000, 0}[r.IntN(3)],
					Effort:       block.Effort(r.IntN(3)),
				})
			}
		})
	}
}

func TestCopiesHaveTheBytesOfTheOriginal(t *testing.T) {
	original := writeGauges(t, gauges(20, 1000))
	r, err := OpenBytes(original)
	if err != nil {
		t.Fatal(err)
	}
	if tables := tablesOf(t, r); tables == 0 {
		t.Fatal("no block has a code table: the test shows nothing")
	}
	if f := copyOf(t, r, Options{}); !bytes.Equal(f.content, original) {
		t.Errorf("a copy of %d bytes has %d, or others", len(original), len(f.content))
	}
}

// tablesOf counts the blocks that have a code table.
func tablesOf(t testing.TB, r *Reader) (n int) {
	t.Helper()
	for _, m := range r.Measurements() {
		var c Cursor
		c.Reset(r, m, r.Fields(m))
		for {
			ok, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			for g := range c.granules {
				for i := range c.fields {
					k, err := c.column(&c.places[g], i)
					if err != nil {
						t.Fatal(err)
					}
					if !k.view.absent && k.view.table(c.places[g].granule) > 0 {
						n++
					}
				}
			}
		}
	}
	return n
}

// More code tables than a segment can name come together: the blocks of those
// that are too many are encoded anew.
func TestCopiesFromManyFiles(t *testing.T) {
	hosts := gauges(1, 800)
	f := &file{}
	w := NewWriter(f, Options{Effort: block.Hot})
	const files = block.MaxTables + 20
	for i := range files {
		rows := hosts[0]
		rows.Columns = nil
		for _, c := range hosts[0].Columns[:2] {
			c.Bits = slices.Clone(c.Bits)
			for k := range c.Bits {
				c.Bits[k] *= uint64(1 + i) // the common factor is in the table
			}
			rows.Columns = append(rows.Columns, c)
		}
		r, err := OpenBytes(writeGauges(t, []Rows{rows}))
		if err != nil {
			t.Fatal(err)
		}
		if tablesOf(t, r) == 0 {
			t.Fatal("no block has a code table: the test shows nothing")
		}
		var c Cursor
		c.Reset(r, "cpu", r.Fields("cpu"))
		if ok, err := c.Next(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		for g := range c.Granules() {
			if err := w.Copy("cpu", uint32(i), &c, g, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenBytes(f.content)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(r); err != nil {
		t.Error(err)
	}
	var c Cursor
	c.Reset(r, "cpu", r.Fields("cpu"))
	for i := range files {
		if ok, err := c.Next(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		row := 0
		for g := range c.Granules() {
			column, err := c.Column(g, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range column.Bits {
				if want := hosts[0].Columns[1].Bits[row] * uint64(1+i); v != want {
					t.Fatalf("file %d, row %d: %d, want %d", i, row, v, want)
				}
				row++
			}
		}
		if row != 800 {
			t.Fatalf("file %d: %d rows of 800", i, row)
		}
	}
}

func TestCopiesOutOfOrderAreRefused(t *testing.T) {
	r, err := OpenBytes(writeGauges(t, gauges(200, 2)))
	if err != nil {
		t.Fatal(err)
	}
	var shared Cursor
	shared.Reset(r, "cpu", r.Fields("cpu"))
	if ok, err := shared.Next(); !ok || err != nil || shared.Alone(0) {
		t.Fatal(ok, err, shared.Alone(0))
	}
	if r, err = OpenBytes(writeGauges(t, gauges(2, 800))); err != nil {
		t.Fatal(err)
	}
	var c Cursor
	c.Reset(r, "cpu", r.Fields("cpu"))
	if ok, err := c.Next(); !ok || err != nil || len(c.Granules()) < 2 {
		t.Fatal(ok, err, c.Granules())
	}
	late := regular(c.Granules()[1].Range.Max, 1, 1)
	tests := map[string]func(w *Writer) error{
		"granule twice":    func(w *Writer) error { return errors.Join(w.Copy("m", 1, &c, 0, nil), w.Copy("m", 1, &c, 0, nil)) },
		"granule back":     func(w *Writer) error { return errors.Join(w.Copy("m", 1, &c, 1, nil), w.Copy("m", 1, &c, 0, nil)) },
		"behind rows":      func(w *Writer) error { return errors.Join(w.Append("m", 1, late), w.Copy("m", 1, &c, 1, nil)) },
		"before rows":      func(w *Writer) error { return errors.Join(w.Copy("m", 1, &c, 1, nil), w.Append("m", 1, late)) },
		"series back":      func(w *Writer) error { return errors.Join(w.Copy("m", 2, &c, 0, nil), w.Copy("m", 1, &c, 1, nil)) },
		"measurement back": func(w *Writer) error { return errors.Join(w.Copy("m", 1, &c, 0, nil), w.Copy("a", 1, &c, 1, nil)) },
		"versions":         func(w *Writer) error { return w.Copy("m", 1, &c, 0, make([]uint32, c.Granules()[0].Rows)) },
		"shared granule":   func(w *Writer) error { return w.Copy("m", 1, &shared, 0, nil) },
	}
	for name, write := range tests {
		t.Run(name, func(t *testing.T) {
			if err := write(NewWriter(&file{}, Options{})); !errors.Is(err, errMisuse) {
				t.Errorf("error %v, want %v", err, errMisuse)
			}
		})
	}
}

func BenchmarkCopy(b *testing.B) {
	hosts := gauges(1000, 1440)
	r, err := OpenBytes(writeGauges(b, hosts))
	if err != nil {
		b.Fatal(err)
	}
	perEach(b, "value", len(hosts)*1440*10, func() {
		w := NewWriter(io.Discard, Options{Effort: block.Hot})
		if err := copyMeasurement(w, r, "cpu"); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Finish(); err != nil {
			b.Fatal(err)
		}
	})
}
