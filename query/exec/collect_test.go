package exec_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec/exectest"
)

func TestPercentilesAreThoseOfSortedValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 33, 1000, 1001} {
		var rows []exectest.Row
		var sorted []float64
		for i := range n {
			v := float64(r.IntN(n))
			sorted = append(sorted, v)
			rows = append(rows, exectest.Row{Measurement: "m", Time: int64(i), Fields: map[string]any{"f": v}})
		}
		slices.Sort(sorted)
		sh := shard{model.AllTime, exectest.New(exectest.Options{}, rows...)}
		ask := func(call string) string {
			_, row, _ := strings.Cut(run(t, "SELECT "+call+" FROM m WHERE time >= 0 AND time < 10000 GROUP BY time(10u)", sh), "[0 ")
			return strings.TrimSuffix(strings.TrimSpace(row), "]")
		}
		for _, p := range []float64{0.5, 10, 50, 77.7, 99, 100} {
			want := ""
			if i := int(math.Floor(float64(n)*p/100+0.5)) - 1; i >= 0 {
				want = fmt.Sprint(sorted[i])
			}
			if got := ask(fmt.Sprintf("percentile(f, %v)", p)); got != want {
				t.Errorf("percentile %v of %d values is %q, want %q", p, n, got, want)
			}
		}
		want := fmt.Sprint((sorted[(n-1)/2] + sorted[n/2]) / 2)
		if got := ask("median(f)"); got != want {
			t.Errorf("median of %d values is %q, want %q", n, got, want)
		}
	}
}
