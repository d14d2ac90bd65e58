package exec

import "github.com/varvedb/varve/model"

// Partial is a piece of what a fragment answers at one shard. It belongs to
// whoever receives it.
//
// Partials come by group, in order of the groups (backwards when the fragment
// is descending), and a group's come one after the other. Of a fragment that
// counts groups the first partial has Groups set and nothing else.
type Partial struct {
	// Group is the values of the fragment's GroupBy keys.
	Group []string
	// Groups is the groups that the shard has, ascending, the first ones up to
	// the fragment's GroupLimit.
	Groups [][]string

	// Times are the starts of the windows that hold points, ascending, or the
	// times of raw rows in the fragment's order. Without windows an aggregate
	// has the one time 0.
	Times []int64
	// Columns are, for raw rows, those of the fragment; for aggregates the
	// states of each of them as function.ID.States says, and then for a
	// selector the fragment's columns at the selected rows.
	Columns []model.Column

	// Report is what the fragment took, in the last partial of one that asks for
	// it; then the partial has nothing else.
	Report *Report
}
