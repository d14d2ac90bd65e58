package model_test

import (
	"testing"

	"github.com/varvedb/varve/model"
)

// TestTimeRangesAreSets compares ranges with the sets they stand for.
func TestTimeRangesAreSets(t *testing.T) {
	set := func(r model.TimeRange) (s uint16) {
		for x := range int64(8) {
			if r.Contains(x) {
				s |= 1 << x
			}
		}
		return s
	}
	var all []model.TimeRange
	for lo := range int64(8) {
		for hi := range int64(8) {
			all = append(all, model.TimeRange{Min: lo, Max: hi})
		}
	}
	for _, a := range all {
		if a.Empty() != (set(a) == 0) {
			t.Errorf("%v.Empty() = %t", a, a.Empty())
		}
		for _, b := range all {
			if got, want := a.Overlaps(b), set(a)&set(b) != 0; got != want {
				t.Errorf("%v.Overlaps(%v) = %t", a, b, got)
			}
			if got, want := set(a.Intersect(b)), set(a)&set(b); got != want {
				t.Errorf("%v.Intersect(%v) = %v", a, b, a.Intersect(b))
			}
			if u := a.Union(b); set(u)&(set(a)|set(b)) != set(a)|set(b) || !a.Empty() && u.Min > a.Min {
				t.Errorf("%v.Union(%v) = %v", a, b, u)
			}
			if !b.Empty() && a.Covers(b) != (set(a)&set(b) == set(b)) {
				t.Errorf("%v.Covers(%v) = %t", a, b, a.Covers(b))
			}
		}
	}
}

func TestAllTimeLeavesTheOutermostValuesFree(t *testing.T) {
	if !model.AllTime.Contains(model.MinTime) || model.AllTime.Contains(model.MinTime-1) || model.AllTime.Contains(model.MaxTime+1) {
		t.Errorf("AllTime = %v", model.AllTime)
	}
}
