package block

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/test/harness/kinds"
)

// summariesOf gives the statistics of runs of a column; those of some runs are
// said not to be known.
func summariesOf(c *model.Column, runs int) (stats []model.Stats, exact []uint64) {
	n := len(c.Bits) / runs
	for i := range runs {
		part := model.Column{Field: c.Field, Bits: c.Bits[i*n : (i+1)*n]}
		s, ok := Stats(&part)
		if !ok || i%7 == 0 {
			stats, exact = append(stats, model.Stats{}), append(exact, 0)
			continue
		}
		stats, exact = append(stats, s), append(exact, 1)
	}
	return stats, exact
}

func TestSummariesGiveEachStatistics(t *testing.T) {
	for _, k := range kinds.All() {
		if k.Type == model.String {
			continue
		}
		stats, exact := summariesOf(k.Column(1, 3600), 30)
		lost := checkSummaries(t, k.Name, k.Type, stats, exact)
		if lost > 3 {
			t.Errorf("%s: %d of %d are given up", k.Name, lost, len(stats))
		}
	}
	r := seeded.Rand(t)
	for _, typ := range []model.FieldType{model.Float, model.Integer, model.Unsigned, model.Boolean} {
		for _, shape := range shapes {
			c := &model.Column{Field: model.Field{Type: typ}}
			v := r.Uint64() >> r.IntN(64)
			for i := range 400 {
				v = shape.next(r, i, v)
				if typ == model.Boolean {
					c.Bits = append(c.Bits, v&1)
				} else {
					c.Bits = append(c.Bits, v)
				}
			}
			stats, exact := summariesOf(c, 1+r.IntN(40))
			checkSummaries(t, shape.name, typ, stats, exact)
		}
	}
}

// checkSummaries gives the number of statistics that were not kept.
func checkSummaries(t *testing.T, name string, typ model.FieldType, stats []model.Stats, exact []uint64) (lost int) {
	t.Helper()
	known := slices.Clone(exact)
	p := AppendSummaries(nil, typ, stats, exact)
	s, rest, err := ReadSummaries(append(p, 1, 2), typ, len(stats))
	if err != nil || len(rest) != 2 {
		t.Fatalf("%s, %v: %d bytes left, %v", name, typ, len(rest), err)
	}
	for i, want := range stats {
		if exact[i] > known[i] {
			t.Fatalf("%s, %v: statistics %d become known", name, typ, i)
		}
		lost += int(known[i] - exact[i])
		if got := s.Get(i, want.Count); exact[i] == 1 && got != want {
			t.Fatalf("%s, %v: statistics %d are %+v, want %+v", name, typ, i, got, want)
		}
	}
	return lost
}

func TestSummariesOfSeriesFarApartAreShort(t *testing.T) {
	var stats []model.Stats
	var exact []uint64
	for i := range 100 {
		first := float64(i*i) * 1e4
		c := model.Column{Field: model.Field{Type: model.Float}}
		for k := range 360 {
			c.AppendBits(math.Float64bits((first + float64(k%5)) / 10))
		}
		s, _ := Stats(&c)
		stats, exact = append(stats, s), append(exact, 1)
	}
	if n := len(AppendSummaries(nil, model.Float, stats, exact)); n > 100*8 {
		t.Errorf("%d bytes for 100 statistics, want 800 at most", n)
	}
}

func FuzzSummaries(f *testing.F) {
	for _, k := range kinds.All() {
		if k.Type != model.String {
			stats, exact := summariesOf(k.Column(1, 360), 3)
			f.Add(byte(k.Type), 3, AppendSummaries(nil, k.Type, stats, exact))
		}
	}
	f.Fuzz(func(t *testing.T, typ byte, n int, p []byte) {
		s, rest, err := ReadSummaries(p, model.FieldType(typ), n)
		if err != nil {
			if !errors.Is(err, model.ErrCorrupt) {
				t.Fatalf("error %v, want %v", err, model.ErrCorrupt)
			}
			return
		}
		if len(rest) > len(p) {
			t.Fatalf("%d bytes left of %d", len(rest), len(p))
		}
		for _, i := range []int{0, n / 2, n - 1} {
			if i >= 0 && i < n {
				s.Get(i, n)
			}
		}
	})
}
