package tsm

import (
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/segment"
)

// together is the rows of small granules, put together to be given to a file at
// once: most of what a series of few rows costs is not its values.
type together struct {
	series []uint32
	ends   []int // of the rows of each series
	rows   segment.Rows
	text   int
}

const (
	// togetherRows is how many rows are put together. A series that goes on has
	// up to four times as many.
	togetherRows = 1024
	togetherText = 1 << 20
)

// full reports whether rows of a series are not to be added any more.
func (t *together) full(series uint32) bool {
	n := len(t.rows.Times)
	return n >= 4*togetherRows || t.text >= togetherText || n >= togetherRows && !t.has(series)
}

// has reports whether the last of the rows are of a series.
func (t *together) has(series uint32) bool {
	n := len(t.series)
	return n > 0 && t.series[n-1] == series
}

// add copies rows, which have the fields of those before.
func (t *together) add(series uint32, rows *segment.Rows) {
	t.rows.Times = append(t.rows.Times, rows.Times...)
	t.rows.Versions = append(t.rows.Versions, rows.Versions...)
	for i := range rows.Columns {
		from := &rows.Columns[i]
		if i == len(t.rows.Columns) {
			t.rows.Columns = append(t.rows.Columns, model.Column{Field: from.Field})
		}
		appendRange(&t.rows.Columns[i], from, 0, from.Len())
		t.text += len(from.Text)
	}
	if t.has(series) {
		t.ends[len(t.ends)-1] = len(t.rows.Times)
		return
	}
	t.series, t.ends = append(t.series, series), append(t.ends, len(t.rows.Times))
}

func (t *together) reset() {
	t.series, t.ends, t.text = t.series[:0], t.ends[:0], 0
	t.rows.Times, t.rows.Versions = t.rows.Times[:0], t.rows.Versions[:0]
	for i := range t.rows.Columns {
		t.rows.Columns[i].Reset()
	}
}
