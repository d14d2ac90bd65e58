package segment

import (
	"bytes"
	"testing"

	"github.com/varvedb/varve/model"
)

// regular gives n rows, step nanoseconds apart from start on, with a number.
func regular(start, step int64, n int) *Rows {
	c := model.Column{Field: model.Field{Name: "v", Type: model.Integer}}
	rows := &Rows{}
	for i := range n {
		rows.Times = append(rows.Times, start+int64(i)*step)
		c.AppendBits(uint64(i))
	}
	rows.Columns = []model.Column{c}
	return rows
}

// granulesOf writes rows as the only series of a file and gives its granules.
func granulesOf(t *testing.T, rows *Rows, versions int) []Granule {
	t.Helper()
	f := &file{}
	w := NewWriter(f, Options{Versioned: versions > 0})
	for i := range versions {
		w.Version(model.Version{HLC: model.HLC(i)})
	}
	if err := w.Append("m", 1, rows); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenBytes(f.content)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(r); err != nil {
		t.Fatal(err)
	}
	var c Cursor
	c.Reset(r, "m", r.Fields("m"))
	if ok, err := c.Next(); !ok || err != nil {
		t.Fatalf("next: %v %v", ok, err)
	}
	return c.Granules()
}

func TestGranulesAreCutAtRoundTimes(t *testing.T) {
	const day = 24 * hour
	tests := []struct {
		name   string
		step   int64
		rows   int
		window int64
		each   int
	}{
		{"every 10 s", 10 * second, 24 * 360, hour, 360},
		{"every second", second, 7200, 5 * minute, 300},
		{"every minute", minute, 3 * 1440, 6 * hour, 360},
		{"every hour", hour, 10 * 168, 7 * day, 168},
		{"every 20 ms", 20 * second / 1000, 10 * 500, 10 * second, 500},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			start := 2400 * 7 * day // a multiple of all windows
			for i, g := range granulesOf(t, regular(start, test.step, test.rows), 0) {
				switch {
				case test.window == 7*day: // not dense enough for any window
					if g.Rows != looseRows && i < test.rows/looseRows {
						t.Fatalf("granule %d has %d rows, want %d", i, g.Rows, looseRows)
					}
				case g.Rows != test.each || g.Range.Min%test.window != 0:
					t.Fatalf("granule %d has %d rows from %d, want %d from a multiple of %d", i, g.Rows, g.Range.Min, test.each, test.window)
				}
			}
		})
	}
}

func TestDenseWindowsAreCutAgain(t *testing.T) {
	rows := 0
	for _, g := range granulesOf(t, regular(1e18, 1000, 50000), 0) {
		rows += g.Rows
		if g.Rows > MaxGranuleRows || g.Rows < MaxGranuleRows/2 {
			t.Errorf("granule of %d rows", g.Rows)
		}
	}
	if rows != 50000 {
		t.Errorf("%d rows", rows)
	}
}

func TestRowsOfOneTimeStayTogether(t *testing.T) {
	rows := &Rows{}
	c := model.Column{Field: model.Field{Name: "v", Type: model.Integer}}
	for i := range 3000 {
		rows.Times = append(rows.Times, int64(i/7))
		rows.Versions = append(rows.Versions, uint32(i%7))
		c.AppendBits(uint64(i))
	}
	rows.Columns = []model.Column{c}
	last := int64(-1)
	for _, g := range granulesOf(t, rows, 7) {
		if g.Range.Min <= last || !g.Repeats {
			t.Errorf("granule from %d after one to %d, repeats %v", g.Range.Min, last, g.Repeats)
		}
		last = g.Range.Max
	}
}

func TestManyVersionsOfOneRow(t *testing.T) {
	rows := &Rows{Times: make([]int64, 5000), Versions: make([]uint32, 5000)}
	for i := range rows.Versions {
		rows.Versions[i] = uint32(i)
	}
	n := 0
	for _, g := range granulesOf(t, rows, 5000) {
		if n += g.Rows; g.Rows > MaxGranuleRows {
			t.Errorf("granule of %d rows", g.Rows)
		}
	}
	if n != 5000 {
		t.Errorf("%d rows", n)
	}
}

func TestGranulesOfLongStringsAreShort(t *testing.T) {
	rows := regular(0, second, 300)
	c := model.Column{Field: model.Field{Name: "s", Type: model.String}}
	for i := range 300 {
		c.AppendText(bytes.Repeat([]byte{byte(i)}, 60000))
	}
	rows.Columns = append(rows.Columns, c)
	n := 0
	for _, g := range granulesOf(t, rows, 0) {
		if n += g.Rows; g.Rows*60000 > granuleText {
			t.Errorf("granule of %d rows", g.Rows)
		}
	}
	if n != 300 {
		t.Errorf("%d rows", n)
	}
}

func TestTimesAtTheEndsOfTheirRange(t *testing.T) {
	rows := regular(0, 1, 3)
	rows.Times = []int64{model.MinTime, 0, model.MaxTime}
	granules := granulesOf(t, rows, 0)
	if len(granules) != 1 || granules[0].Range != model.AllTime {
		t.Errorf("granules %+v", granules)
	}
	many := regular(0, 1, 400)
	for i := range many.Times {
		many.Times[i] = model.MinTime + int64(i)*(model.MaxTime/200)
	}
	n := 0
	for _, g := range granulesOf(t, many, 0) {
		n += g.Rows
	}
	if n != 400 {
		t.Errorf("%d rows", n)
	}
}
