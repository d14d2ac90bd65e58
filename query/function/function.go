package function

import "github.com/varvedb/varve/model"

// ID names an aggregate function or one over the points of a group. The numbers
// of aggregates go between nodes and never change.
type ID uint8

// The aggregates, whose states the shards make.
const (
	Count  ID = 1
	Sum    ID = 2
	Mean   ID = 3
	Min    ID = 4
	Max    ID = 5
	First  ID = 6
	Last   ID = 7
	Spread ID = 8
	Stddev ID = 9

	Median        ID = 10
	Mode          ID = 11
	Percentile    ID = 12
	Distinct      ID = 13
	CountDistinct ID = 14 // count(distinct())
)

// The functions over the points of a group, which are computed where the
// statement runs.
const (
	Derivative            ID = 32
	NonNegativeDerivative ID = 33
	Difference            ID = 34
	NonNegativeDifference ID = 35
	Elapsed               ID = 36
	CumulativeSum         ID = 37
	MovingAverage         ID = 38

	ExponentialMovingAverage       ID = 39
	DoubleExponentialMovingAverage ID = 40
	TripleExponentialMovingAverage ID = 41
	RelativeStrengthIndex          ID = 42
	TripleExponentialDerivative    ID = 43
	KaufmansEfficiencyRatio        ID = 44
	KaufmansAdaptiveMovingAverage  ID = 45
	ChandeMomentumOscillator       ID = 46

	HoltWinters        ID = 47
	HoltWintersWithFit ID = 48
	Top                ID = 49
	Bottom             ID = 50
	Sample             ID = 51
	Integral           ID = 52
)

var names = [...]string{
	Count: "count", Sum: "sum", Mean: "mean", Min: "min", Max: "max", First: "first", Last: "last", Spread: "spread",
	Stddev: "stddev", Median: "median", Mode: "mode", Percentile: "percentile", Distinct: "distinct", CountDistinct: "count(distinct)",

	Derivative: "derivative", NonNegativeDerivative: "non_negative_derivative",
	Difference: "difference", NonNegativeDifference: "non_negative_difference",
	Elapsed: "elapsed", CumulativeSum: "cumulative_sum", MovingAverage: "moving_average",
	ExponentialMovingAverage: "exponential_moving_average", DoubleExponentialMovingAverage: "double_exponential_moving_average",
	TripleExponentialMovingAverage: "triple_exponential_moving_average", RelativeStrengthIndex: "relative_strength_index",
	TripleExponentialDerivative: "triple_exponential_derivative", KaufmansEfficiencyRatio: "kaufmans_efficiency_ratio",
	KaufmansAdaptiveMovingAverage: "kaufmans_adaptive_moving_average", ChandeMomentumOscillator: "chande_momentum_oscillator",
	HoltWinters: "holt_winters", HoltWintersWithFit: "holt_winters_with_fit",
	Top: "top", Bottom: "bottom", Sample: "sample", Integral: "integral",
}

// Lookup gives the function of that name.
func Lookup(name string) (ID, bool) {
	for id := range ID(len(names)) {
		if id.Valid() && names[id] == name {
			return id, true
		}
	}
	return 0, false
}

// Valid reports whether f is a known function.
func (f ID) Valid() bool { return int(f) < len(names) && names[f] != "" }

// Aggregates reports whether f is an aggregate.
func (f ID) Aggregates() bool { return f >= Count && f <= CountDistinct }

// String gives the name as in a query.
func (f ID) String() string {
	if !f.Valid() {
		return "unknown"
	}
	return names[f]
}

// Selects reports whether the result is one of the points, with its time.
func (f ID) Selects() bool { return f == Min || f == Max || f == First || f == Last }

// Collects reports whether f needs all values at once, to sort or count them.
func (f ID) Collects() bool { return f >= Median && f <= CountDistinct }

// Takes reports whether f can be computed of values of a type.
func (f ID) Takes(t model.FieldType) bool {
	switch f {
	case Count, First, Last, Mode, Distinct, CountDistinct, Elapsed, Sample:
		return t.Valid()
	case Min, Max:
		return t.Valid() && t != model.String
	}
	return t == model.Float || t == model.Integer || t == model.Unsigned && f != HoltWinters && f != HoltWintersWithFit
}

// Result gives the type of f over values of a type that it takes.
func (f ID) Result(t model.FieldType) model.FieldType {
	switch f {
	case Count, CountDistinct, Elapsed:
		return model.Integer
	case Mean, Stddev, Median, Derivative, NonNegativeDerivative, MovingAverage, Integral:
		return model.Float
	}
	if f >= ExponentialMovingAverage && f <= HoltWintersWithFit {
		return model.Float
	}
	return t
}

// States gives the types of the columns that hold f's state over values of a
// type. Every f has first its number of values; then
//
//	sum, mean         the sum
//	min, max          the value and its time
//	first, last       the value and its time
//	spread            the least and the greatest value
//	stddev            the mean and the sum of squared distances from it
//	median and later  the values with their times, packed into a text
//
// A row whose number is 0 has no value, and its other columns are unspecified.
func (f ID) States(t model.FieldType) []model.FieldType {
	switch f {
	case Count:
		return []model.FieldType{model.Integer}
	case Sum, Mean:
		return []model.FieldType{model.Integer, t}
	case Spread:
		return []model.FieldType{model.Integer, t, t}
	case Stddev:
		return []model.FieldType{model.Integer, model.Float, model.Float}
	}
	if f.Collects() {
		return []model.FieldType{model.Integer, model.String}
	}
	return []model.FieldType{model.Integer, t, model.Integer}
}

// PerPoint reports whether f makes a point at a time of the points before it and
// that one: its results come in the order of its points.
func (f ID) PerPoint() bool { return f >= Derivative && f <= ChandeMomentumOscillator }

// LooksBack reports whether f over the windows of a query needs the one before
// the query's first.
func (f ID) LooksBack() bool {
	return f >= Derivative && f <= ChandeMomentumOscillator && f != CumulativeSum
}
