package plan

import (
	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// Bound is a Select whose names have types: what runs at the shards, and what
// is made of their answers.
type Bound struct {
	Scans []Scan
	// Calls is how the values of the first slots are made, one for each distinct
	// call of the statement that is not an argument of another. Without calls the
	// result is the rows of the one scan.
	Calls []BoundCall

	Columns []string // names of the result's columns, the time's first
	Exprs   []*Expr  // of the other columns, over Slots
	// Slots is the types of the values that Exprs speak of: the results of
	// Calls, and then the columns of rows.
	Slots []model.FieldType
	// AuxFrom is the index of the first slot that is a column of a row.
	AuxFrom int

	GroupBy    []string // as in the fragments
	Window     Window
	Range      model.TimeRange
	Descending bool
	// PointTime is set where the row's time is that of the selected point. In
	// windows it is so for a subquery: what reads it orders the rows of a window by
	// it before it puts the window's time in its place.
	PointTime     bool
	Fill          Fill
	FillValue     float64
	FillBack      bool // windows before the range are read for fill(previous, d), and not shown
	Limit, Offset int  // of rows in a group; Limit 0 is none
	GroupLimit    int  // 0 is none
	GroupOffset   int
	MaxBytes      int
	MaxBuckets    int // of a group, where the range has no beginning; 0 is none
	// Carried is how many tags the rows of a subquery have in their last columns.
	// A call is made by itself for each combination of them.
	Carried int
	// Kept is how many tags the rows of a SELECT … INTO have in their last columns,
	// which are tags of the points.
	Kept int
	// Inner is set for a subquery. Values of its rows that are no numbers stay:
	// they are missing only in a result.
	Inner bool

	stmt *influxql.SelectStatement
	refs []influxql.VarRef // fields and tags outside of calls
}

// Scan is fragments that differ in the measurement alone: aggregates or raw
// rows over one range.
type Scan struct {
	// Fragments has one for each measurement that can have rows and each time
	// that the statement names it, sorted by the measurement's name.
	// Measurements of one name in different databases or policies are one series
	// of the result.
	Fragments []*Fragment
	// Aggregates is those of the fragments. When it is empty the scan gives rows.
	Aggregates []BoundAggregate
	// Range is the statement's, or a wider one where transformations need windows
	// before it.
	Range model.TimeRange
}

// Raw reports whether the scan gives rows and not aggregates.
func (s *Scan) Raw() bool { return len(s.Aggregates) == 0 }

// BoundAggregate is an aggregate with the type of its argument.
type BoundAggregate struct {
	Function function.ID
	Type     model.FieldType
	Argument float64 // which percentile
}

// BoundCall says how the values of a slot are made: of an aggregate of a scan,
// or of the rows of a raw scan of its own, by stages.
type BoundCall struct {
	// Scan is the index of the scan, negative where nothing is stored that the
	// call could be of: then it never has a value of its own.
	Scan int
	// Column is the index of the aggregate in its scan. In a raw scan it is the
	// last column; those before it are the slots from AuxFrom on, by which rows of
	// equal time are ordered.
	Column int
	Stages []Stage // innermost first
	// Range is that of the windows that are filled before the first stage. The
	// scan's begins earlier where values from before are carried into it, and
	// later where transformations of transformations look further back.
	Range model.TimeRange

	of influxql.Expr // what it takes from its scan
}

// Stage is a function over the points of a group, in the statement's order of
// time.
type Stage struct {
	Function function.ID
	Type     model.FieldType // of the values that it takes

	// The literal arguments, as far as the function has them.
	Unit     int64   // nanoseconds, also where the statement has no duration
	N        int     // how many: points of a moving average, periods, rows of top()
	Hold     int     // hold period, -1 where the statement has none
	Warmup   string  // "" where the statement has none
	Season   int     // of holt_winters()
	Argument float64 // which percentile
	Keys     []int   // of top() and bottom(): the tags among the columns before the value; nil without arguments
	// Selected is set where the shards of a top() or bottom() did it already for
	// their rows, as Fragment.Best says.
	Selected bool
}

// Raw reports whether the result is rows and not made by calls.
func (b *Bound) Raw() bool { return len(b.Calls) == 0 }

// Joined reports whether the calls have points of their own, which are joined
// by time. Otherwise each of them is the aggregate of its index in the one scan,
// and all have the same windows.
func (b *Bound) Joined() bool {
	for i := range b.Calls {
		if c := &b.Calls[i]; c.Scan != 0 || c.Column != i || len(c.Stages) > 0 {
			return true
		}
	}
	// In InfluxDB LIMIT and OFFSET count the points of each call. That shows where
	// calls have different windows.
	limited := (b.Limit > 0 || b.Offset > 0) && !b.Window.IsZero()
	return limited && len(b.Calls) > 1 && (b.Fill == FillNone || b.Range.Min == model.MinTime)
}

// Fragments gives the fragments of all scans.
func (b *Bound) Fragments() []*Fragment {
	if len(b.Scans) == 1 {
		return b.Scans[0].Fragments
	}
	var all []*Fragment
	for i := range b.Scans {
		all = append(all, b.Scans[i].Fragments...)
	}
	return all
}

// Fill says what stands in windows without points.
type Fill uint8

// The fills.
const (
	FillNull     Fill = 0
	FillNone     Fill = 1
	FillNumber   Fill = 2
	FillPrevious Fill = 3
	FillLinear   Fill = 4
)
