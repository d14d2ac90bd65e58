package meta

import (
	"slices"
	"testing"
)

func TestReplaceOwners(t *testing.T) {
	const by = 9
	for name, c := range map[string]struct {
		owners []Owner
		gone   []uint64
		want   []Owner // nil: as they are
		lost   bool
	}{
		"not an owner":               {owners: []Owner{{1, Active}}, gone: []uint64{2}},
		"one of two":                 {owners: []Owner{{1, Active}, {2, Active}}, gone: []uint64{2}, want: []Owner{{1, Active}, {by, Joining}}},
		"joining":                    {owners: []Owner{{1, Active}, {2, Joining}}, gone: []uint64{2}, want: []Owner{{1, Active}, {by, Joining}}},
		"to be rebuilt":              {owners: []Owner{{1, Active}, {2, Rebuild}}, gone: []uint64{2}, want: []Owner{{1, Active}, {by, Joining}}},
		"leaving":                    {owners: []Owner{{1, Active}, {2, Leaving}}, gone: []uint64{2}, want: []Owner{{1, Active}}},
		"the rest to be rebuilt":     {owners: []Owner{{1, Joining}, {2, Active}, {3, Rebuild}}, gone: []uint64{2}, want: []Owner{{1, Joining}, {by, Joining}, {3, Active}}},
		"target of a move":           {owners: []Owner{{1, Leaving}, {2, Active}}, gone: []uint64{2}, want: []Owner{{1, Active}, {by, Joining}}},
		"the only one":               {owners: []Owner{{2, Active}}, gone: []uint64{2}, want: []Owner{{by, Active}}, lost: true},
		"the only one with the data": {owners: []Owner{{1, Joining}, {2, Active}}, gone: []uint64{2}, want: []Owner{{by, Active}, {1, Joining}}, lost: true},
		"two in a row":               {owners: []Owner{{1, Active}, {2, Joining}, {3, Active}}, gone: []uint64{2, 3}, want: []Owner{{1, Active}, {by, Joining}}},
		"done before":                {owners: []Owner{{1, Active}, {by, Joining}}, gone: []uint64{2}},
	} {
		before := slices.Clone(c.owners)
		got, lost, changed := replaceOwners(c.owners, c.gone, by)
		want := c.want
		if want == nil {
			want = c.owners
		}
		if !slices.Equal(got, want) || lost != c.lost || changed != (c.want != nil) {
			t.Errorf("%s: %v, lost %v, changed %v; want %v, lost %v", name, got, lost, changed, want, c.lost)
		}
		if !slices.Equal(c.owners, before) {
			t.Errorf("%s: the owners of a snapshot were changed", name)
		}
	}
}
