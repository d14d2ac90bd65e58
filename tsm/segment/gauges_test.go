package segment

import (
	"fmt"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/test/harness/kinds"
	"github.com/varvedb/varve/tsm/block"
)

// gauges gives the rows of hosts as TSBS makes them: ten gauges from 0 to 100
// every 10 s, from a full hour on.
func gauges(series, rows int) []Rows {
	cpu := kinds.All()[0]
	times := make([]int64, rows)
	for i := range times {
		times[i] = 1451606400e9 + int64(i)*10e9
	}
	var names [10]string
	for f := range names {
		names[f] = fmt.Sprintf("usage_%d", f)
	}
	hosts := make([]Rows, series)
	for i := range hosts {
		hosts[i].Times = times
		for f := range 10 {
			c := cpu.Column(10*i+f, rows)
			c.Name = names[f]
			hosts[i].Columns = append(hosts[i].Columns, *c)
		}
	}
	return hosts
}

func writeGauges(b testing.TB, hosts []Rows) []byte {
	f := &file{}
	w := NewWriter(f, Options{Effort: block.Hot})
	for i := range hosts {
		if err := w.Append("cpu", uint32(i), &hosts[i]); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		b.Fatal(err)
	}
	return f.content
}

// sum adds up values, as whoever aggregates does.
func sum(c *model.Column) uint64 {
	var a, b, d, e uint64
	p := c.Bits
	for ; len(p) >= 4; p = p[4:] {
		a, b, d, e = a+p[0], b+p[1], d+p[2], e+p[3]
	}
	for _, v := range p {
		a += v
	}
	return a + b + d + e
}
