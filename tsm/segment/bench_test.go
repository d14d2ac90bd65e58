//go:build unix

package segment

import (
	"fmt"
	"testing"
)

var benchShapes = []struct{ series, rows int }{{1000, 1440}, {5000, 42}, {20000, 4}}

func BenchmarkWrite(b *testing.B) {
	for _, s := range benchShapes {
		b.Run(fmt.Sprintf("%dx%d", s.series, s.rows), func(b *testing.B) {
			hosts := gauges(s.series, s.rows)
			size := 0
			values := s.series * s.rows * 10
			perEach(b, "value", values, func() { size = len(writeGauges(b, hosts)) })
			b.ReportMetric(float64(size)/float64(values), "B/value")
		})
	}
}

// BenchmarkScan reads one field or ten of all rows, and their statistics, from
// a file in memory.
func BenchmarkScan(b *testing.B) {
	for _, s := range benchShapes {
		b.Run(fmt.Sprintf("%dx%d", s.series, s.rows), func(b *testing.B) {
			r, err := OpenBytes(writeGauges(b, gauges(s.series, s.rows)))
			if err != nil {
				b.Fatal(err)
			}
			for _, fields := range []int{1, 10} {
				values := s.series * s.rows * fields
				b.Run(fmt.Sprintf("sum of %d", fields), func(b *testing.B) {
					perEach(b, "value", values, func() { scanSums(b, r, fields) })
				})
				b.Run(fmt.Sprintf("statistics of %d", fields), func(b *testing.B) {
					n := scanStats(b, r, fields)
					perEach(b, "granule", n, func() { scanStats(b, r, fields) })
				})
			}
		})
	}
}

func scanSums(b *testing.B, r *Reader, fields int) {
	total := uint64(0)
	scan(b, r, fields, func(c *Cursor, g, f int) error {
		column, err := c.Column(g, f)
		if err == nil {
			total += sum(column)
		}
		return err
	})
	if total == 0 {
		b.Fatal("nothing")
	}
}

// scanStats gives the number of statistics it has read.
func scanStats(b *testing.B, r *Reader, fields int) (n int) {
	total := uint64(0)
	scan(b, r, fields, func(c *Cursor, g, f int) error {
		s, _, err := c.Stats(g, f)
		total += s.Sum
		n++
		return err
	})
	return n
}

// scan calls f for the first fields of every granule.
func scan(b *testing.B, r *Reader, fields int, f func(c *Cursor, g, field int) error) {
	var c Cursor
	c.Reset(r, "cpu", r.Fields("cpu")[:fields])
	for {
		ok, err := c.Next()
		if err != nil {
			b.Fatal(err)
		}
		if !ok {
			return
		}
		for g := range c.Granules() {
			for i := range fields {
				if err := f(&c, g, i); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

// BenchmarkSeek reads one granule of one field of a series, in another segment
// each time.
func BenchmarkSeek(b *testing.B) {
	r, err := OpenBytes(writeGauges(b, gauges(1000, 1440)))
	if err != nil {
		b.Fatal(err)
	}
	var c Cursor
	fields := r.Fields("cpu")[:1]
	c.Reset(r, "cpu", fields)
	series := uint32(0)
	perEach(b, "series", 1, func() {
		series = (series + 367) % 1000
		if ok, err := c.Seek(series); !ok || err != nil {
			b.Fatal(ok, err)
		}
		if _, err := c.Column(0, 0); err != nil {
			b.Fatal(err)
		}
	})
}
