package function

import "github.com/varvedb/varve/model"

// ID names an aggregate function. The numbers go between nodes and never
// change.
type ID uint8

// The aggregates that are supported.
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

var names = [...]string{
	Count: "count", Sum: "sum", Mean: "mean", Min: "min", Max: "max", First: "first", Last: "last", Spread: "spread",
	Stddev: "stddev", Median: "median", Mode: "mode", Percentile: "percentile", Distinct: "distinct", CountDistinct: "count(distinct)",
}

// Lookup gives the aggregate of that name.
func Lookup(name string) (ID, bool) {
	for id := Count; id.Valid(); id++ {
		if names[id] == name {
			return id, true
		}
	}
	return 0, false
}

// Valid reports whether f is a known function.
func (f ID) Valid() bool { return f > 0 && int(f) < len(names) }

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
	case Count, First, Last, Mode, Distinct, CountDistinct:
		return t.Valid()
	case Min, Max:
		return t.Valid() && t != model.String
	}
	return t == model.Float || t == model.Integer || t == model.Unsigned
}

// Result gives the type of f over values of a type that it takes.
func (f ID) Result(t model.FieldType) model.FieldType {
	switch f {
	case Count, CountDistinct:
		return model.Integer
	case Mean, Stddev, Median:
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
