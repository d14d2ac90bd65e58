package tsm

import (
	"context"
	"fmt"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

func TestRoomRefusesNewSeriesBeyondALimit(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	series := func(keys ...string) (all []model.Series) {
		for _, k := range keys {
			all = append(all, model.Series{Hash: model.HashSeriesKey([]byte(k), hashSeed), Key: []byte(k)})
		}
		return all
	}
	h.write(t, s, h.points("m,a=1,b=x", 1))
	h.write(t, s, h.points("m,a=2,b=x", 1))
	asked := series("m,a=1,b=x", "m,a=2,b=y", "m,a=3,b=y", "m,a=1,b=z", "n,a=9")
	for _, c := range []struct {
		limits model.SeriesLimits
		left   int64
		want   []string
	}{
		{model.SeriesLimits{Series: 10, ValuesPerTag: 10}, 8, nil},
		{model.SeriesLimits{Series: 4}, 2, []string{
			"3: max-series-per-database limit exceeded: (4)", "4: max-series-per-database limit exceeded: (4)",
		}},
		{model.SeriesLimits{Series: 1}, 0, []string{
			"1: max-series-per-database limit exceeded: (1)", "2: max-series-per-database limit exceeded: (1)",
			"3: max-series-per-database limit exceeded: (1)", "4: max-series-per-database limit exceeded: (1)",
		}},
		{model.SeriesLimits{ValuesPerTag: 2}, 0, []string{
			`2: max-values-per-tag limit exceeded (2/2): measurement="m" tag="a" value="3"`,
			`3: max-values-per-tag limit exceeded (2/2): measurement="m" tag="b" value="z"`,
		}},
	} {
		r, err := s.Room(c.limits, asked)
		must(t, err)
		var got []string
		for _, x := range r.Refused {
			got = append(got, fmt.Sprintf("%d: %s", x.At, x.Why))
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || r.Left != c.left {
			t.Errorf("%+v: %d left, refused %q; want %d, %q", c.limits, r.Left, got, c.left, c.want)
		}
	}
	must(t, s.Write(context.Background(), h.stamp(&model.Batch{Delete: &model.Delete{Range: model.AllTime}})))
	if r, err := s.Room(model.SeriesLimits{Series: 2}, series("m,a=1,b=x", "o")); err != nil || r.Left != 2 || len(r.Refused) > 0 {
		t.Errorf("after all was deleted: %+v, %v; want room for 2", r, err)
	}
	// Nor do the values of deleted series, also those in files.
	for _, step := range []func(){func() {}, func() { must(t, s.Flush(context.Background())) }} {
		h.write(t, s, h.points("m,a=4", 5))
		step()
		if r, err := s.Room(model.SeriesLimits{ValuesPerTag: 2}, series("m,a=5", "m,a=6", "m,a=4")); err != nil || len(r.Refused) != 1 || r.Refused[0].At != 1 {
			t.Errorf("beside one value that has data: %+v, %v; want the second refused", r, err)
		}
	}
}

// Values are counted once wherever they are: in one index file, in two, in none.
func TestRoomCountsValuesOfFilesAndMemory(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	write := func(from, to int64) {
		for i := from; i < to; i++ {
			h.write(t, s, h.points(fmt.Sprintf("m,a=%d,b=%d", i%8, i), i))
		}
	}
	write(0, 12)
	must(t, s.flushIndex())
	write(4, 20)
	must(t, s.flushIndex())
	write(16, 30)
	if n := s.index.Kept(); n != 20 {
		t.Fatalf("%d series are in files, want 20", n)
	}
	ask := func(keys ...string) (refused []uint32) {
		t.Helper()
		var series []model.Series
		for _, k := range keys {
			series = append(series, model.Series{Hash: model.HashSeriesKey([]byte(k), hashSeed), Key: []byte(k)})
		}
		for _, limit := range []int64{8, 9, 30, 31} {
			r, err := s.Room(model.SeriesLimits{ValuesPerTag: limit}, series)
			must(t, err)
			if r.Left > max(0, limit-30) {
				t.Errorf("limit %d: %d series fit for certain, but tag b has 30 values", limit, r.Left)
			}
			refused = append(refused, uint32(len(r.Refused)))
		}
		return refused
	}
	for _, c := range []struct {
		key  string
		want string // with limits of 8, 9, 30 and 31 values
	}{
		{"m,a=3,b=3,c=x", "[0 0 0 0]"}, // values of the first file
		{"m,a=3,b=19,c=x", "[0 0 0 0]"},
		{"m,a=3,b=29,c=x", "[0 0 0 0]"}, // a value in memory
		{"m,a=8,b=3", "[1 0 0 0]"},
		{"m,a=3,b=30", "[1 1 1 0]"},
		{"n,a=8,b=30", "[0 0 0 0]"}, // of another measurement
	} {
		if got := fmt.Sprint(ask(c.key)); got != c.want {
			t.Errorf("%s is refused %s times, want %s", c.key, got, c.want)
		}
	}
	if got := fmt.Sprint(ask("m,a=8,b=0", "m,a=9,b=0", "m,a=8,b=1")); got != "[3 1 0 0]" {
		t.Errorf("three series with two new values are refused %s times, want [3 1 0 0]", got)
	}
}
