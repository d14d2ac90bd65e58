package segment

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// A compressor takes megabytes. Hundreds of fields have some hundred kilobytes of
// scratch each without that.
func TestManyFieldsOfStringsDoNotTakeACompressorEach(t *testing.T) {
	const fields, rows, most = 200, 100, 40 << 20
	r := seeded.Rand(t)
	data := &Rows{}
	for i := range rows {
		data.Times = append(data.Times, int64(i))
	}
	for i := range fields {
		c := model.Column{Field: model.Field{Name: fmt.Sprintf("f%03d", i), Type: model.String}}
		for range rows {
			c.AppendText(fmt.Appendf(nil, "state of %d, and %d", r.IntN(1000), r.Uint64()))
		}
		data.Columns = append(data.Columns, c)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := NewWriter(io.Discard, Options{Effort: block.Cold})
	if err := w.Append("m", 1, data); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > most {
		t.Errorf("%d fields took %d MiB, want at most %d", fields, took>>20, most>>20)
	}
}
