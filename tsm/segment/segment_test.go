package segment

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// file is a vfs.File that only takes writes.
type file struct {
	vfs.File
	content []byte
}

func (f *file) Write(p []byte) (int, error) {
	f.content = append(f.content, p...)
	return len(p), nil
}

// data is what a test file holds, in the order in which it is written.
type data struct {
	versions     []model.Version // nil: none
	measurements []testMeasurement
}

type testMeasurement struct {
	name   string
	series []testSeries
}

type testSeries struct {
	id   uint32
	rows Rows
}

// field gives the column of a field, or nil.
func (s *testSeries) field(f model.Field) *model.Column {
	for i := range s.rows.Columns {
		if s.rows.Columns[i].Field == f {
			return &s.rows.Columns[i]
		}
	}
	return nil
}

// randomData makes measurements with series of all sizes and fields of all types.
func randomData(r *rand.Rand, versioned bool) *data {
	d := &data{}
	if versioned {
		for i := range 50 {
			id := model.BatchID{Origin: 1 + r.Uint64N(3), Epoch: r.Uint64(), Seq: uint64(i)}
			d.versions = append(d.versions, model.Version{HLC: model.HLC(i) * 1e6, ID: id})
		}
	}
	for m := range 1 + r.IntN(4) {
		tm := testMeasurement{name: fmt.Sprintf("m%d", m)}
		fields := make([]model.Field, 1+r.IntN(5))
		for i := range fields {
			fields[i] = model.Field{Name: fmt.Sprintf("f%d", r.IntN(4)), Type: model.FieldType(1 + r.IntN(5))}
		}
		slices.SortFunc(fields, compareFields)
		fields = slices.Compact(fields)
		id := r.Uint32N(100)
		small := r.IntN(2) == 0
		for range 1 + r.IntN(30) {
			n := 1 + r.IntN(40)
			if !small && r.IntN(4) == 0 {
				n = 1 + r.IntN(5000)
			}
			tm.series = append(tm.series, testSeries{id, randomRows(r, n, fields, versioned)})
			id += 1 + r.Uint32N(3)
		}
		d.measurements = append(d.measurements, tm)
	}
	return d
}

func randomRows(r *rand.Rand, n int, fields []model.Field, versioned bool) Rows {
	rows := Rows{Times: make([]int64, n)}
	t := int64(1.6e18) / 1e10 * 1e10
	if r.IntN(10) == 0 {
		t = -t
	}
	step := []int64{1, 1e6, 1e9, 10e9, 60e9, 86400e9}[r.IntN(6)]
	regular := r.IntN(2) == 0
	for i := range rows.Times {
		rows.Times[i] = t
		switch {
		case regular:
			t += step
		case versioned && r.IntN(3) == 0: // the same time again
		default:
			t += 1 + r.Int64N(step*2)
		}
	}
	if versioned {
		rows.Versions = make([]uint32, n)
		for i := range rows.Versions {
			rows.Versions[i] = r.Uint32N(50)
			if i > 0 && rows.Times[i] == rows.Times[i-1] {
				rows.Versions[i] = min(rows.Versions[i-1]+r.Uint32N(2), 49)
			}
		}
	}
	for _, f := range fields {
		if r.IntN(5) == 0 {
			continue
		}
		c := model.Column{Field: f}
		sparse := r.IntN(2) == 0
		v := r.IntN(100)
		for range n {
			v += r.IntN(3) - 1
			switch {
			case sparse && r.IntN(3) == 0:
				c.AppendNull()
			case f.Type == model.String:
				c.AppendText(fmt.Appendf(nil, "text %d", v))
			case f.Type == model.Float:
				c.AppendBits(math.Float64bits(float64(v) / 10))
			case f.Type == model.Boolean:
				c.AppendBits(uint64(v & 1))
			default:
				c.AppendBits(uint64(v))
			}
		}
		rows.Columns = append(rows.Columns, c)
	}
	return rows
}

// write makes the file of d, series in one to three calls each, or several in one.
func (d *data) write(t testing.TB, r *rand.Rand, segmentBytes int) (*file, Meta) {
	t.Helper()
	f := &file{}
	w := NewWriter(f, Options{Versioned: d.versions != nil, SegmentBytes: segmentBytes, Effort: block.Effort(r.IntN(3))})
	return f, d.writeTo(t, r, w)
}

func (d *data) writeTo(t testing.TB, r *rand.Rand, w *Writer) Meta {
	t.Helper()
	for i, v := range d.versions {
		if n := w.Version(v); int(n) != i {
			t.Fatalf("version %d got number %d", i, n)
		}
	}
	if d.versions == nil {
		w.Cover(model.Version{HLC: 10}, model.Version{HLC: 20})
	}
	for _, m := range d.measurements {
		for i := 0; i < len(m.series); i++ {
			s := m.series[i]
			if r.IntN(4) == 0 {
				several := m.series[i : i+1+r.IntN(len(m.series)-i)]
				ids, ends, rows := joinRows(several)
				if err := w.AppendSeries(m.name, ids, ends, rows); err != nil {
					t.Fatalf("append of %d series from %d on: %v", len(several), s.id, err)
				}
				i += len(several) - 1
				continue
			}
			for from, n := 0, len(s.rows.Times); from < n; {
				to := n
				if r.IntN(3) == 0 {
					to = from + 1 + r.IntN(n-from)
				}
				if err := w.Append(m.name, s.id, cutRows(&s.rows, from, to)); err != nil {
					t.Fatalf("append of rows %d to %d of series %d: %v", from, to, s.id, err)
				}
				from = to
			}
		}
	}
	meta, err := w.Finish()
	if err != nil {
		t.Fatalf("finish: %v", err)
	}
	return meta
}

// joinRows gives the rows of several series one after the other.
func joinRows(series []testSeries) (ids []uint32, ends []int, all *Rows) {
	all = &Rows{}
	for i := range series {
		s := &series[i]
		ids = append(ids, s.id)
		all.Times, all.Versions = append(all.Times, s.rows.Times...), append(all.Versions, s.rows.Versions...)
		ends = append(ends, len(all.Times))
		for k := range s.rows.Columns {
			if f := s.rows.Columns[k].Field; !slices.ContainsFunc(all.Columns, func(c model.Column) bool { return c.Field == f }) {
				all.Columns = append(all.Columns, model.Column{Field: f})
			}
		}
	}
	for k := range all.Columns {
		c := &all.Columns[k]
		for i := range series {
			from := series[i].field(c.Field)
			for row := range series[i].rows.Times {
				if from == nil {
					c.AppendNull()
				} else {
					c.AppendRow(from, row)
				}
			}
		}
	}
	return ids, ends, all
}

// cutRows gives the rows from from to to-1.
func cutRows(rows *Rows, from, to int) *Rows {
	out := &Rows{Times: rows.Times[from:to]}
	if rows.Versions != nil {
		out.Versions = rows.Versions[from:to]
	}
	for i := range rows.Columns {
		c := model.Column{Field: rows.Columns[i].Field}
		for k := from; k < to; k++ {
			c.AppendRow(&rows.Columns[i], k)
		}
		out.Columns = append(out.Columns, c)
	}
	return out
}

// check reads all of r and compares it with d.
func (d *data) check(t *testing.T, r *Reader) {
	t.Helper()
	var names []string
	var c Cursor
	for i := range d.measurements {
		m := &d.measurements[i]
		names = append(names, m.name)
		fields := append(slices.Clone(r.Fields(m.name)), model.Field{Name: "nobody", Type: model.Float})
		c.Reset(r, m.name, fields)
		var ids []uint32
		for k := range m.series {
			s := &m.series[k]
			ids = append(ids, s.id)
			ok, err := c.Next()
			if !ok || err != nil || c.Series() != s.id {
				t.Fatalf("%s: next is %v at %d: %v, want series %d", m.name, ok, c.Series(), err, s.id)
			}
			checkSeries(t, &c, s, fields)
		}
		if ok, err := c.Next(); ok || err != nil {
			t.Fatalf("%s: next after the last series: %v %v", m.name, ok, err)
		}
		if got, err := r.AppendSeries(nil, m.name); err != nil || !slices.Equal(got, ids) {
			t.Fatalf("%s: series %v: %v, want %v", m.name, got, err, ids)
		}
	}
	if !slices.Equal(r.Measurements(), names) {
		t.Fatalf("measurements %v, want %v", r.Measurements(), names)
	}
	if !slices.Equal(r.Versions(), d.versions) {
		t.Fatalf("versions differ")
	}
}

func checkSeries(t *testing.T, c *Cursor, s *testSeries, fields []model.Field) {
	t.Helper()
	row := 0
	for g, granule := range c.Granules() {
		times, err := c.Times(g)
		if err != nil || len(times) != granule.Rows || granule.Rows > MaxGranuleRows {
			t.Fatalf("series %d: %d times of %d: %v", s.id, len(times), granule.Rows, err)
		}
		end := row + len(times)
		if end > len(s.rows.Times) || !slices.Equal(times, s.rows.Times[row:end]) {
			t.Fatalf("series %d, rows from %d: times %v", s.id, row, times)
		}
		if granule.Range != (model.TimeRange{Min: times[0], Max: times[len(times)-1]}) {
			t.Fatalf("series %d: range %v of times %v", s.id, granule.Range, times)
		}
		if g > 0 && granule.Range.Min <= c.Granules()[g-1].Range.Max {
			t.Fatalf("series %d: granules %d and %d share a time", s.id, g-1, g)
		}
		versions, err := c.Versions(g)
		if err != nil || s.rows.Versions != nil && !slices.Equal(versions, s.rows.Versions[row:end]) {
			t.Fatalf("series %d: versions %v: %v", s.id, versions, err)
		}
		for f := range fields {
			checkField(t, c, s, g, f, row, end, fields[f])
		}
		row = end
	}
	if row != len(s.rows.Times) {
		t.Fatalf("series %d has %d rows, want %d", s.id, row, len(s.rows.Times))
	}
}

func checkField(t *testing.T, c *Cursor, s *testSeries, g, f, from, to int, field model.Field) {
	t.Helper()
	got, err := c.Column(g, f)
	if err != nil || got.Len() != to-from || got.Field != field {
		t.Fatalf("series %d, %v: column of %d rows, want %d: %v", s.id, field, got.Len(), to-from, err)
	}
	want := s.field(field)
	if want == nil {
		want = &model.Column{Field: field}
		for range s.rows.Times {
			want.AppendNull()
		}
	}
	stats, exact, err := c.Stats(g, f)
	if err != nil {
		t.Fatalf("series %d, %v: stats: %v", s.id, field, err)
	}
	var sum model.Stats
	ints, floats := int64(0), 0.0
	for i := from; i < to; i++ {
		if got.Value(i-from) != want.Value(i) {
			t.Fatalf("series %d, %v, row %d: %v, want %v", s.id, field, i, got.Value(i-from), want.Value(i))
		}
		if !want.Has(i) {
			continue
		}
		if sum.Count == 0 && field.Type != model.String {
			sum.First = want.Bits[i]
		}
		sum.Count++
		if field.Type != model.String {
			sum.Last = want.Bits[i]
			ints += int64(want.Bits[i])
			floats += math.Float64frombits(want.Bits[i])
		}
	}
	if exact && (stats.Count != sum.Count || stats.First != sum.First || stats.Last != sum.Last) {
		t.Fatalf("series %d, %v: stats %+v, want %+v", s.id, field, stats, sum)
	}
	switch field.Type {
	case model.Integer, model.Unsigned:
		sum.Sum = uint64(ints)
	case model.Float:
		if sum.Count > 0 {
			sum.Sum = math.Float64bits(floats)
		}
	}
	if exact && stats.Sum != sum.Sum && field.Type != model.String {
		t.Fatalf("series %d, %v: sum %x, want %x", s.id, field, stats.Sum, sum.Sum)
	}
	if !exact && c.places[g].whole && !c.granules[g].Repeats {
		t.Fatalf("series %d, %v: no statistics of a granule that is its own", s.id, field)
	}
}

func TestFilesGiveBackWhatWasWritten(t *testing.T) {
	r := seeded.Rand(t)
	for i := range 6 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			d := randomData(r, i%2 == 1)
			f, meta := d.write(t, r, []int{0, 2000, 50000}[i%3])
			reader, err := OpenBytes(f.content)
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			if reader.Meta() != meta {
				t.Errorf("meta %+v, want %+v", reader.Meta(), meta)
			}
			if meta.Size != int64(len(f.content)) {
				t.Errorf("size %d, want %d", meta.Size, len(f.content))
			}
			d.check(t, reader)
			if err := Verify(reader); err != nil {
				t.Errorf("verify: %v", err)
			}
			d.seek(t, r, reader)
		})
	}
}

// seek asks for series in any order, those that are not there among them.
func (d *data) seek(t *testing.T, r *rand.Rand, reader *Reader) {
	t.Helper()
	var c Cursor
	for i := range d.measurements {
		m := &d.measurements[i]
		fields := reader.Fields(m.name)
		c.Reset(reader, m.name, fields)
		for range 50 {
			id := r.Uint32N(m.series[len(m.series)-1].id + 3)
			k, want := slices.BinarySearchFunc(m.series, id, func(s testSeries, id uint32) int { return int(s.id) - int(id) })
			has, err := reader.Has(m.name, id)
			if err != nil || has != want {
				t.Fatalf("%s has series %d: %v %v, want %v", m.name, id, has, err, want)
			}
			ok, err := c.Seek(id)
			if err != nil || ok != want {
				t.Fatalf("%s: seek of %d: %v %v, want %v", m.name, id, ok, err, want)
			}
			if ok {
				checkSeries(t, &c, &m.series[k], fields)
				k++
			}
			ok, err = c.Next()
			if err != nil || ok != (k < len(m.series)) {
				t.Fatalf("%s: next after seek of %d: %v %v", m.name, id, ok, err)
			}
			if ok && c.Series() != m.series[k].id {
				t.Fatalf("%s: next after seek of %d is %d, want %d", m.name, id, c.Series(), m.series[k].id)
			}
		}
	}
}

func TestMissingMeasurementIsEmpty(t *testing.T) {
	r := seeded.Rand(t)
	f, _ := randomData(r, false).write(t, r, 0)
	reader, err := OpenBytes(f.content)
	if err != nil {
		t.Fatal(err)
	}
	var c Cursor
	c.Reset(reader, "nothing", []model.Field{{Name: "f", Type: model.Float}})
	if ok, err := c.Next(); ok || err != nil {
		t.Errorf("next: %v %v", ok, err)
	}
	if ok, err := c.Seek(1); ok || err != nil {
		t.Errorf("seek: %v %v", ok, err)
	}
	if !reader.Range("nothing").Empty() || reader.Fields("nothing") != nil {
		t.Errorf("range %v, fields %v", reader.Range("nothing"), reader.Fields("nothing"))
	}
}

func TestEmptyFile(t *testing.T) {
	f := &file{}
	meta, err := NewWriter(f, Options{}).Finish()
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenBytes(f.content)
	if err != nil || r.Meta() != meta || meta.Rows != 0 || !meta.Range.Empty() {
		t.Fatalf("open: %v, meta %+v", err, meta)
	}
	if err := Verify(r); err != nil {
		t.Error(err)
	}
}

func TestEveryChangedByteIsFound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d := &data{measurements: []testMeasurement{{name: "m", series: []testSeries{
		{1, randomRows(r, 30, []model.Field{{Name: "a", Type: model.Float}, {Name: "b", Type: model.String}}, false)},
		{2, randomRows(r, 300, []model.Field{{Name: "a", Type: model.Float}, {Name: "c", Type: model.Integer}}, false)},
	}}}}
	f, _ := d.write(t, r, 0)
	for i := range f.content {
		p := bytes.Clone(f.content)
		p[i] ^= 1 << r.IntN(8)
		reader, err := OpenBytes(p)
		if err == nil {
			err = Verify(reader)
		}
		if !errors.Is(err, model.ErrCorrupt) && !errors.Is(err, model.ErrNotSupported) {
			t.Fatalf("byte %d of %d changed: %v", i, len(p), err)
		}
	}
	for n := range f.content {
		if _, err := OpenBytes(f.content[:n]); !errors.Is(err, model.ErrCorrupt) {
			t.Fatalf("file cut at %d of %d opens: %v", n, len(f.content), err)
		}
	}
}

func TestRowsOutOfOrderAreRefused(t *testing.T) {
	rows := func(times ...int64) *Rows {
		c := model.Column{Field: model.Field{Name: "f", Type: model.Integer}, Bits: make([]uint64, len(times))}
		return &Rows{Times: times, Columns: []model.Column{c}}
	}
	tests := map[string]func(w *Writer) error{
		"time twice":          func(w *Writer) error { return w.Append("m", 1, rows(1, 1)) },
		"time back":           func(w *Writer) error { return w.Append("m", 1, rows(2, 1)) },
		"time back in a call": func(w *Writer) error { return errors.Join(w.Append("m", 1, rows(1, 2)), w.Append("m", 1, rows(2))) },
		"series back":         func(w *Writer) error { return errors.Join(w.Append("m", 2, rows(1)), w.Append("m", 1, rows(1))) },
		"series again": func(w *Writer) error {
			return errors.Join(w.Append("m", 1, rows(1)), w.Append("m", 2, rows(1)), w.Append("m", 1, rows(2)))
		},
		"measurement back": func(w *Writer) error { return errors.Join(w.Append("m", 1, rows(1)), w.Append("a", 2, rows(1))) },
		"short column": func(w *Writer) error {
			r := rows(1, 2)
			r.Columns[0].Bits = r.Columns[0].Bits[:1]
			return w.Append("m", 1, r)
		},
		"time back among several": func(w *Writer) error {
			return w.AppendSeries("m", []uint32{1, 2}, []int{1, 3}, rows(3, 2, 1))
		},
		"series back among several": func(w *Writer) error {
			return w.AppendSeries("m", []uint32{1, 1}, []int{1, 3}, rows(1, 2, 3))
		},
		"fewer rows than several have": func(w *Writer) error {
			return w.AppendSeries("m", []uint32{1, 2}, []int{1, 2}, rows(1, 2, 3))
		},
		"series without rows": func(w *Writer) error {
			return w.AppendSeries("m", []uint32{1, 2}, []int{2, 2}, rows(1, 2))
		},
		"versions in a file without": func(w *Writer) error {
			r := rows(1)
			r.Versions = []uint32{0}
			return w.Append("m", 1, r)
		},
	}
	for name, write := range tests {
		t.Run(name, func(t *testing.T) {
			w := NewWriter(&file{}, Options{})
			if err := write(w); !errors.Is(err, errMisuse) {
				t.Errorf("error %v, want %v", err, errMisuse)
			}
			if _, err := w.Finish(); err == nil {
				t.Error("a writer that failed finishes")
			}
		})
	}
}
