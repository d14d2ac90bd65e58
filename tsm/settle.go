package tsm

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
)

// settleAfter is the age at which versions may be given up in a file that has
// some. Batches that are older are refused from then on, so it is well above
// what a write waits for anything.
const settleAfter = 10 * time.Second

// settlement says which rows of a file with versions need theirs no longer:
// rows of versions that nothing can come between any more, at times at which no
// other source has rows. All of them are as good as of one version. Otherwise
// a file would know the version of every batch, for ever: files and memtables
// of steady writes overlap where they meet.
type settlement struct {
	below     model.HLC         // versions from here on stay
	as        model.Version     // what the others become: none of them is higher
	contested []model.TimeRange // of other sources, ascending and apart
}

// newSettlement is for rows whose highest version is high, besides sources with
// rows in others.
func newSettlement(below model.HLC, high model.Version, others []model.TimeRange) *settlement {
	s := &settlement{below: below, as: high}
	if high.HLC >= below {
		s.as = model.Version{HLC: below - 1, ID: model.BatchID{Origin: math.MaxUint64, Epoch: math.MaxUint64, Seq: math.MaxUint64}}
	}
	slices.SortFunc(others, func(a, b model.TimeRange) int { return cmp.Compare(a.Min, b.Min) })
	for _, o := range others {
		if n := len(s.contested); n > 0 && o.Min <= s.contested[n-1].Max {
			s.contested[n-1].Max = max(s.contested[n-1].Max, o.Max)
		} else {
			s.contested = append(s.contested, o)
		}
	}
	return s
}

// version gives the version to keep for a row; s may be nil.
func (s *settlement) version(time int64, v model.Version) model.Version {
	if s == nil || v.HLC >= s.below {
		return v
	}
	i, inside := slices.BinarySearchFunc(s.contested, time, func(r model.TimeRange, t int64) int { return cmp.Compare(r.Min, t) })
	if inside || i > 0 && time <= s.contested[i-1].Max {
		return v
	}
	return s.as
}

// uniform reports whether version is the same for rows of one version at all
// times of r.
func (s *settlement) uniform(r model.TimeRange) bool {
	if s == nil {
		return true
	}
	i, _ := slices.BinarySearchFunc(s.contested, r.Min, func(c model.TimeRange, t int64) int { return cmp.Compare(c.Max, t) })
	return i == len(s.contested) || s.contested[i].Covers(r) || !s.contested[i].Overlaps(r)
}
