package exec

import (
	"cmp"
	"strings"

	"github.com/varvedb/varve/internal/hll"
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
	// nil is all. Fields are those of the measurements that have such a series.
	Where *model.Predicate
	// Keys restricts the tag keys of ListTagKeys and ListTagValues: a comparison
	// whose Key is "" and whose value is compared with the tag's key. It may be
	// built with And and Or. nil is all.
	Keys *model.Predicate
	// Within restricts the series to those that have a point in a range of time,
	// and for ListFieldKeys the fields to those that have a value in it, which
	// means to look at data; nil is all.
	Within *model.TimeRange
	// Limit bounds the entries of the answer, 0 for none: the first ones by
	// order, of all or, with LimitEach, of each measurement. It cuts the list of
	// each shard, so it is an offset plus a limit.
	Limit     int
	LimitEach bool
	// Count asks for what entries are to be counted by, in place of them.
	Count *Counting
}

// Counting is how entries are counted. Entries count as different by their key,
// and those of ListTagValues by their value alone; ListMeasurements gives one
// count for all measurements, the others one for each.
type Counting struct {
	// Sketch asks for the Sketch of all entries, from which their number is
	// estimated; without it the Sets are asked for.
	Sketch bool
	// GroupBy is tags by whose values the series are grouped; each group is
	// counted by itself.
	GroupBy []string
	// Part is which of Parts parts of the hashes is wanted; 0 parts is 1. Parts
	// hold about as much each, and bound what is in memory at a time.
	Part, Parts int
}

// List is the answer: entries sorted by Entry.Compare, each once; or what a
// Counting asks for.
type List struct {
	Entries []Entry
	Sets    []Set // sorted by Set.Compare, each group once
	Sketch  *hll.Sketch
}

// Entry is one line of a List; see ListKind for the meaning.
type Entry struct {
	Measurement string
	Key         string
	Value       string
	Type        model.FieldType
}

// Set is the different entries of one group.
type Set struct {
	Measurement string
	Tags        []string           // the values of Counting.GroupBy
	Members     []model.SeriesHash // ascending, each once
}

// CompareGroup orders sets by measurement and tags.
func (s *Set) CompareGroup(o *Set) int {
	if c := strings.Compare(s.Measurement, o.Measurement); c != 0 {
		return c
	}
	for i := range min(len(s.Tags), len(o.Tags)) {
		if c := strings.Compare(s.Tags[i], o.Tags[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(s.Tags), len(o.Tags))
}

// Compare orders entries by measurement, key, value and type. Keys of series
// come in the order of what they name, not of how it is escaped.
func (e *Entry) Compare(o *Entry) int {
	return cmp.Or(strings.Compare(e.Measurement, o.Measurement), compareUnescaped(e.Key, o.Key), strings.Compare(e.Key, o.Key),
		strings.Compare(e.Value, o.Value), cmp.Compare(e.Type, o.Type))
}

// compareUnescaped compares texts without the backslashes that
// model.AppendSeriesKey puts in.
func compareUnescaped(a, b string) int {
	if strings.IndexByte(a, '\\') < 0 && strings.IndexByte(b, '\\') < 0 {
		return strings.Compare(a, b)
	}
	// What both begin with names the same, but for a backslash at its end.
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	for same > 0 && a[same-1] == '\\' {
		same--
	}
	a, b = a[same:], b[same:]
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
