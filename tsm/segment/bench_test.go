//go:build unix

package segment

import (
	"fmt"
	"testing"
)

var benchShapes = []struct{ series, rows int }{{100, 4320}, {1000, 360}, {5000, 42}, {20000, 4}}

func BenchmarkWrite(b *testing.B) {
	for _, s := range benchShapes {
		b.Run(fmt.Sprintf("%dx%d", s.series, s.rows), func(b *testing.B) {
			content, rows := gauges(b, s.series, s.rows)
			values := s.series * s.rows * 10
			perValue(b, values, func() { writeGauges(b, rows) })
			b.ReportMetric(float64(len(content))/float64(values), "B/value")
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, s := range benchShapes {
		b.Run(fmt.Sprintf("%dx%d", s.series, s.rows), func(b *testing.B) {
			content, _ := gauges(b, s.series, s.rows)
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
