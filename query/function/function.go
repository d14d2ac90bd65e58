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
)

var names = [...]string{
	Count: "count", Sum: "sum", Mean: "mean", Min: "min", Max: "max", First: "first", Last: "last", Spread: "spread",
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

// Takes reports whether f can be computed of values of a type.
func (f ID) Takes(t model.FieldType) bool {
	switch f {
	case Count, First, Last:
		return t.Valid()
	case Min, Max:
		return t.Valid() && t != model.String
	}
	return t == model.Float || t == model.Integer || t == model.Unsigned
}

// Result gives the type of f over values of a type that it takes.
func (f ID) Result(t model.FieldType) model.FieldType {
	switch f {
	case Count:
		return model.Integer
	case Mean:
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
	}
	return []model.FieldType{model.Integer, t, model.Integer}
}
