package plan

import (
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// Fragment is the part of a query that runs at a shard: either aggregates by
// group and window, or raw rows by group.
type Fragment struct {
	Database, Policy string // which shards it is for
	Measurement      string
	Located          *Located         // does not go over the wire
	Where            *model.Predicate // holds for every series that can have rows
	Range            model.TimeRange
	Fields           []model.Field // to be read, distinct
	// Inputs are the columns that the other parts speak of, by index, made of
	// Fields and tags.
	Inputs []Source
	// Filter decides row by row, over Inputs; nil is every row.
	Filter *Expr
	// GroupBy is the tag keys of the groups, sorted and distinct. A series'
	// group is its values of them, "" where it lacks one.
	GroupBy []string
	// GroupLimit makes each shard say which groups it has, the first ones up to
	// the limit, before anything else, and leave out the others. 0 is neither.
	GroupLimit int
	Window     Window
	Descending bool

	// Aggregates is what is computed of each group and window. When it is empty
	// the rows themselves are the answer.
	Aggregates []Aggregate
	// Columns is the inputs that the answer has of each raw row, or of the row
	// that the one aggregate, a selector, selects.
	Columns []int
	// Timed is set where the time of what the one aggregate selects in a window
	// counts, so that statistics, which do not have it, cannot answer.
	Timed bool
	// RowLimit bounds the raw rows of each group, or says how many of its windows
	// with points are needed, from the first on; 0 for none. A shard may give more
	// windows.
	RowLimit int
	// Best leaves of the raw rows those that a top() or bottom() of all shards'
	// rows may need; nil leaves all.
	Best *Best

	MaxSeries, MaxPoints, MaxBytes int // 0 for none

	// Report makes each shard tell what the fragment takes there.
	Report Report

	// Inner is the subquery whose rows the fragment reads instead of a shard's,
	// nil where it reads shards. Measurement is one of those of its result. It is
	// run where the statement runs and never goes to another node.
	Inner *Bound
}

// Source says how an input is made. Of a tag it is the tag's value, missing
// where a series lacks the tag. Of fields it is the value of the first one that
// a row has, as the input's type: there are several where a field has different
// types in different shards.
type Source struct {
	Type   model.FieldType
	IsTag  bool
	Tag    string
	Fields []int // indexes into Fragment.Fields
}

// Aggregate is a function of one input.
type Aggregate struct {
	Function function.ID
	Input    int
}

// Best is a top() or bottom() of raw rows: the N best of each group and window,
// with keys the best ones of as many combinations of the keys' values.
type Best struct {
	Function function.ID
	N        int   // at least 1
	Column   int   // of the values, an index into the fragment's columns
	Keys     []int // columns before that one, of texts; nil without keys
}

// Raw reports whether the answer is rows and not aggregates.
func (f *Fragment) Raw() bool { return len(f.Aggregates) == 0 }
