package segment

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/model"
)

// gauges writes gauges from 0 to 100 that move by at most one every 10 s:
// ten fields, as TSBS's CPU hosts have.
func gauges(b testing.TB, series, rows int) (content []byte, rowsOf []Rows) {
	r := rand.New(rand.NewPCG(1, 1))
	for range series {
		rs := Rows{Times: make([]int64, rows)}
		for i := range rs.Times {
			rs.Times[i] = 1.6e18 + int64(i)*10e9
		}
		for f := range 10 {
			c := model.Column{Field: model.Field{Name: fmt.Sprintf("usage_%d", f), Type: model.Integer}}
			v := r.IntN(101)
			for range rows {
				v = min(max(v+r.IntN(3)-1, 0), 100)
				c.Bits = append(c.Bits, uint64(v))
			}
			rs.Columns = append(rs.Columns, c)
		}
		rowsOf = append(rowsOf, rs)
	}
	return writeGauges(b, rowsOf), rowsOf
}

func writeGauges(b testing.TB, rows []Rows) []byte {
	f := &file{}
	w := NewWriter(f, Options{})
	for i := range rows {
		if err := w.Append("cpu", uint32(i), &rows[i]); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		b.Fatal(err)
	}
	return f.content
}
