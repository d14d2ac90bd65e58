package point

import (
	"math"
	"strings"

	"github.com/varvedb/varve/model"
)

// Point is one point of a protocol whose values are all floats.
type Point struct {
	Measurement string
	// Tags are in any order. One with an empty value counts as absent, and of
	// several with one key the last counts.
	Tags   model.Tags
	Fields []Field
	Time   int64 // nanoseconds since 1970
}

// Field is one value of a point.
type Field struct {
	Name  string
	Value float64
}

// maxKeyBytes is InfluxDB's bound on the key of a series, and on it with the name
// of a field and the four bytes that InfluxDB's files put between.
const (
	maxKeyBytes       = 65535
	fieldKeySeparator = 4
)

// The reasons why a point is not stored. /write refuses such points too, except
// those that line protocol cannot say.
const (
	noMeasurement = Refusal("missing measurement")
	noField       = Refusal("missing fields")
	noFieldName   = Refusal("missing field key")
	noTagKey      = Refusal("missing tag key")
	badValue      = Refusal("NaN and infinity cannot be stored")
	timeTag       = Refusal(`a tag cannot be named "time"`)
	timeField     = Refusal(`a field cannot be named "time"`)
	badTime       = Refusal("time outside range")
	keyTooLong    = Refusal("measurement and tags are too long")
	badName       = Refusal("a name or tag has a NUL or a line end, or ends in a backslash")
)

// Refusal says why a point is not stored.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// check reports why p cannot be stored, by all but its key.
func (p *Point) check() error {
	switch {
	case p.Measurement == "":
		return noMeasurement
	case len(p.Fields) == 0:
		return noField
	case p.Time < model.MinTime || p.Time > model.MaxTime:
		return badTime
	case !storable(p.Measurement):
		return badName
	}
	for _, t := range p.Tags {
		switch {
		case t.Value == "":
		case t.Key == "":
			return noTagKey
		case t.Key == "time":
			return timeTag
		case !storable(t.Key) || !storable(t.Value):
			return badName
		}
	}
	for _, f := range p.Fields {
		switch {
		case f.Name == "":
			return noFieldName
		case f.Name == "time":
			return timeField
		case strings.ContainsAny(f.Name, "\n\x00"):
			return badName
		case math.IsNaN(f.Value) || math.IsInf(f.Value, 0):
			return badValue
		}
	}
	return nil
}

// storable reports whether s can be a part of a series' key. A backslash at its
// end would take the separator after it for its own; line ends and NUL cannot
// come by line protocol and would come out of it as another point.
func storable(s string) bool {
	return !strings.ContainsAny(s, "\n\x00") && s[len(s)-1] != '\\'
}
