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
}
