package tsm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/arena"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/index"
)

// hostBatch makes rows of 10 integer fields, in turn for each of the series, as
// collectors send them.
func hostBatch(series, rows int) *model.Batch {
	b := &model.Batch{}
	for i := range series {
		key := fmt.Appendf(nil, "cpu,host=host_%d", i)
		b.Series = append(b.Series, model.Series{Hash: model.HashSeriesKey(key, 1), Key: key})
	}
	t := model.Table{Measurement: "cpu"}
	for f := range 10 {
		t.Columns = append(t.Columns, model.Column{Field: model.Field{Name: fmt.Sprint("usage_", f), Type: model.Integer}})
	}
	for r := range rows {
		t.Series = append(t.Series, uint32(r%series))
		t.Times = append(t.Times, int64(r/series)*1e10)
		for f := range t.Columns {
			t.Columns[f].AppendBits(uint64(r + f))
		}
	}
	b.Tables = []model.Table{t}
	return b
}

func BenchmarkMemtableInsert(b *testing.B) {
	batch := hostBatch(1000, 5000)
	x := index.New()
	for _, s := range batch.Series {
		if _, _, err := x.Add(s.Hash, s.Key); err != nil {
			b.Fatal(err)
		}
	}
	pool := arena.New(128 << 20)
	m := newMemtable(pool)
	ids := make([]uint32, 0, len(batch.Series))
	values := 0
	for b.Loop() {
		if m.bytes() > 16<<20 {
			if err := m.release(); err != nil {
				b.Fatal(err)
			}
			m = newMemtable(pool)
		}
		batch.Version.HLC++
		known, _, _ := x.Lookup(ids, batch.Series)
		m.insert(batch, known, nil)
		values += batch.Rows() * 10
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(values), "ns/value")
}

func TestOrderIsBySeriesTimeVersionAndArrival(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 5))
		n := rng.IntN(3000)
		table := []model.Version{{HLC: 5}, {HLC: 3}, {HLC: 9}}
		series, times, versions := make([]uint32, n), make([]int64, n), make([]uint32, n)
		spread := uint32(1) << rng.IntN(31)
		for i := range n {
			series[i] = rng.Uint32N(spread) + 7
			times[i] = rng.Int64N(20) - 10
			versions[i] = rng.Uint32N(3)
		}
		want := make([]uint32, n)
		for i := range want {
			want[i] = uint32(i)
		}
		slices.SortStableFunc(want, func(a, b uint32) int {
			switch {
			case series[a] != series[b]:
				return int(int64(series[a]) - int64(series[b]))
			case times[a] != times[b]:
				return int(times[a] - times[b])
			}
			return table[versions[a]].Compare(table[versions[b]])
		})
		o := newOrder(series, times, versions, table)
		if !slices.Equal(o.rows, want) {
			t.Fatalf("seed %d: wrong order of %d rows", seed, n)
		}
		seen := 0
		for _, id := range o.series {
			seen += len(o.of(id))
		}
		if seen != n || o.of(3) != nil {
			t.Fatalf("seed %d: the series have %d of %d rows", seed, seen, n)
		}
	}
}

func TestColumnsAppendAsRowByRow(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 6))
		h := &history{rng: rng}
		f := testFields[rng.IntN(len(testFields))]
		src := model.Column{Field: f}
		for range 1 + rng.IntN(200) {
			h.value(&src)
		}
		got, want := model.Column{Field: f}, model.Column{Field: f}
		for range 6 {
			lo := rng.IntN(src.Len())
			hi := lo + rng.IntN(src.Len()-lo+1)
			nulls := rng.IntN(3)
			rows := []uint32{uint32(lo), uint32(src.Len() + 1)}
			appendRange(&got, &src, lo, hi)
			appendNulls(&got, nulls)
			appendRows(&got, &src, rows)
			for i := lo; i < hi; i++ {
				want.AppendRow(&src, i)
			}
			for range nulls {
				want.AppendNull()
			}
			want.AppendRow(&src, lo)
			want.AppendNull()
		}
		if got.Len() != want.Len() {
			t.Fatalf("seed %d: %d rows, want %d", seed, got.Len(), want.Len())
		}
		for i := range want.Len() {
			if got.Value(i) != want.Value(i) {
				t.Fatalf("seed %d: row %d is %v, want %v", seed, i, got.Value(i), want.Value(i))
			}
		}
	}
}
