package contest

import (
	"math"
	"strings"
	"testing"
)

func TestTableHasMediansAndRatios(t *testing.T) {
	table := NewTable("CPU s|%.1f", "syncs|%.0f")
	for _, cpu := range []float64{9, 1, 2} {
		table.Add("varved", cpu, 5)
		table.Add("influxd", 10*cpu, math.NaN())
	}
	var out strings.Builder
	if err := table.Print(&out, "a title"); err != nil {
		t.Fatal(err)
	}
	const want = `
a title
                  CPU s  syncs
          varved    2.0      5
         influxd   20.0      -
  varved/influxd    0.1      -
`
	var got strings.Builder
	for line := range strings.Lines(out.String()) {
		got.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	if got.String() != want {
		t.Errorf("got%swant%s", got.String(), want)
	}
}

func TestQuantile(t *testing.T) {
	v := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if got := Quantile(v, q); got != want {
			t.Errorf("Quantile(%v) = %v, want %v", q, got, want)
		}
	}
	if got := Quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("Quantile of nothing = %v, want NaN", got)
	}
}
