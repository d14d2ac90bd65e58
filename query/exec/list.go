package exec

import (
	"cmp"

	"github.com/varvedb/varve/model"
)

// ListKind is what a ListRequest asks for.
type ListKind uint8

// The kinds of list, each with the columns of Entry that it fills.
const (
	ListMeasurements ListKind = 1 // Measurement
	ListTagKeys      ListKind = 2 // Measurement, Key
	ListTagValues    ListKind = 3 // Measurement, Key, Value
	ListFieldKeys    ListKind = 4 // Measurement, Key (the field), Type
	ListSeries       ListKind = 5 // Measurement, Key (the canonical key)
)

// ListRequest is what SHOW needs of a shard. It is plain data.
type ListRequest struct {
	Kind ListKind
	// Where restricts the series, and with model.MeasurementKey the measurement;
	// nil is all. For ListFieldKeys only its parts about the measurement count.
	Where *model.Predicate
	// Keys restricts the tag keys of ListTagKeys and ListTagValues: a comparison
	// whose Key is "" and whose value is compared with the tag's key. It may be
	// built with And and Or. nil is all.
	Keys *model.Predicate
	// Limit bounds the entries of the answer, 0 for none: the first ones by
	// order. It cuts the list of each shard, so it is an offset plus a limit.
	Limit int
}

// List is the answer: entries sorted by Entry.Compare, each once.
type List struct {
	Entries []Entry
}

// Entry is one line of a List; see ListKind for the meaning.
type Entry struct {
	Measurement string
	Key         string
	Value       string
	Type        model.FieldType
}

// Compare orders entries by measurement, key, value and type. Keys of series
// come in the order of what they name, not of how it is escaped.
func (e Entry) Compare(o Entry) int {
	return cmp.Or(cmp.Compare(e.Measurement, o.Measurement), compareUnescaped(e.Key, o.Key), cmp.Compare(e.Key, o.Key),
		cmp.Compare(e.Value, o.Value), cmp.Compare(e.Type, o.Type))
}

// compareUnescaped compares texts without the backslashes that
// model.AppendSeriesKey puts in.
func compareUnescaped(a, b string) int {
	for a != "" && b != "" {
		var x, y byte
		x, a = cutUnescaped(a)
		y, b = cutUnescaped(b)
		if x != y {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}

// cutUnescaped gives the first byte that s stands for, and what follows it.
func cutUnescaped(s string) (byte, string) {
	if s[0] == '\\' && len(s) > 1 && (s[1] == ',' || s[1] == ' ' || s[1] == '=') {
		s = s[1:]
	}
	return s[0], s[1:]
}
