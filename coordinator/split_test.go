package coordinator

import (
	"fmt"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

// points lists the rows of a batch as text, per destination in order.
func points(b *model.Batch, keep func(table, row int) bool) []string {
	var out []string
	for i := range b.Tables {
		t := &b.Tables[i]
		for row := range t.Times {
			if !keep(i, row) {
				continue
			}
			line := fmt.Sprintf("%s %s %d", t.Measurement, b.Series[t.Series[row]].Key, t.Times[row])
			for c := range t.Columns {
				if t.Columns[c].Has(row) {
					line += fmt.Sprintf(" %s=%v", t.Columns[c].Name, t.Columns[c].Value(row))
				}
			}
			out = append(out, line)
		}
	}
	return out
}

func TestDistributedBatchesAreTheWhole(t *testing.T) {
	rnd := seeded.Rand(t)
	for range 300 {
		b := &model.Batch{}
		for i := range 1 + rnd.IntN(6) {
			key := fmt.Appendf(nil, "m,t=%d", i)
			b.Series = append(b.Series, model.Series{Hash: model.HashSeriesKey(key, 1), Key: key})
		}
		r := route{n: 1 + rnd.IntN(4)}
		for i := range 1 + rnd.IntN(3) {
			var rows []map[string]any
			for range 1 + rnd.IntN(10) {
				row := map[string]any{"f": rnd.Float64()}
				if rnd.IntN(2) == 0 {
					row["g"] = int64(rnd.IntN(100))
				}
				if rnd.IntN(3) == 0 {
					row["s"] = fmt.Sprint(rnd.IntN(1000))
				}
				rows = append(rows, row)
			}
			table := cells(rows...)
			table.Measurement = fmt.Sprint("m", i)
			to := make([]int32, len(rows))
			for j := range rows {
				table.Series[j] = uint32(rnd.IntN(len(b.Series)))
				table.Times[j] = rnd.Int64N(1000)
				to[j] = int32(rnd.IntN(r.n+1)) - 1
			}
			b.Tables = append(b.Tables, table)
			r.to = append(r.to, to)
		}
		for d, part := range distribute(b, r) {
			want := points(b, func(table, row int) bool { return r.to[table][row] == int32(d) })
			if part == nil {
				if len(want) > 0 {
					t.Fatalf("destination %d got nothing, want %q", d, want)
				}
				continue
			}
			got := points(part, func(int, int) bool { return true })
			if !slices.Equal(got, want) {
				t.Fatalf("destination %d got\n%q, want\n%q", d, got, want)
			}
			used := make([]bool, len(part.Series))
			for i := range part.Tables {
				for _, s := range part.Tables[i].Series {
					used[s] = true
				}
			}
			if part != b && slices.Contains(used, false) {
				t.Fatalf("destination %d names a series that it has no row of", d)
			}
		}
	}
}

func TestABatchForOneShardIsNotCopied(t *testing.T) {
	table := cells(map[string]any{"v": 1.0}, map[string]any{"v": 2.0})
	b := &model.Batch{Series: []model.Series{{Key: []byte("m")}}, Tables: []model.Table{table}}
	out := distribute(b, route{n: 3, to: [][]int32{{1, 1}}})
	if out[0] != nil || out[1] != b || out[2] != nil {
		t.Errorf("distribute gave %v, want the batch itself at 1", out)
	}
}
