//go:build unix

package segment

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/model"
)

// benchFile writes gauges from 0 to 100 that move by at most one every 10 s:
// ten fields, as TSBS's CPU hosts have.
func benchFile(b testing.TB, series, rows int) (content []byte, rowsOf []Rows) {
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
	return benchWrite(b, rowsOf), rowsOf
}

func benchWrite(b testing.TB, rows []Rows) []byte {
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

var benchShapes = []struct{ series, rows int }{{100, 4320}, {1000, 360}, {5000, 42}, {20000, 4}}

func BenchmarkWrite(b *testing.B) {
	for _, s := range benchShapes {
		b.Run(fmt.Sprintf("%dx%d", s.series, s.rows), func(b *testing.B) {
			content, rows := benchFile(b, s.series, s.rows)
			values := s.series * s.rows * 10
			perValue(b, values, func() { benchWrite(b, rows) })
			b.ReportMetric(float64(len(content))/float64(values), "B/value")
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, s := range benchShapes {
		b.Run(fmt.Sprintf("%dx%d", s.series, s.rows), func(b *testing.B) {
			content, _ := benchFile(b, s.series, s.rows)
			r, err := OpenBytes(content)
			if err != nil {
				b.Fatal(err)
			}
			var c Cursor
			scan := func(load bool) {
				c.Reset(r, "cpu", r.Fields("cpu"))
				for {
					ok, err := c.Next()
					if err != nil {
						b.Fatal(err)
					}
					if !ok {
						return
					}
					for g := range c.Granules() {
						if load {
							if _, err := c.Times(g); err != nil {
								b.Fatal(err)
							}
						}
						for f := range 10 {
							if load {
								_, err = c.Column(g, f)
							} else {
								_, _, err = c.Stats(g, f)
							}
							if err != nil {
								b.Fatal(err)
							}
						}
					}
				}
			}
			values := s.series * s.rows * 10
			b.Run("values", func(b *testing.B) { perValue(b, values, func() { scan(true) }) })
			b.Run("stats", func(b *testing.B) { perValue(b, values, func() { scan(false) }) })
		})
	}
}
