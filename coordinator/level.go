package coordinator

import (
	"strings"

	"github.com/varvedb/varve/model"
)

// Level is how many owners must have a write before it is acknowledged.
type Level uint8

// The levels. The zero Level is the server's default, One.
const (
	Default Level = iota
	Any           // one owner, or where none can be reached the coordinator itself
	One
	Quorum // more than half
	All
)

// ParseLevel reads the consistency parameter of a write; "" is Default.
func ParseLevel(s string) (Level, error) {
	switch strings.ToLower(s) {
	case "":
		return Default, nil
	case "any":
		return Any, nil
	case "one":
		return One, nil
	case "quorum":
		return Quorum, nil
	case "all":
		return All, nil
	}
	return Default, &model.Error{Kind: model.ErrInvalid, Text: "invalid consistency level"}
}

// Needs gives how many of n owners must answer.
func (l Level) Needs(n int) int {
	switch l {
	case Quorum:
		return n/2 + 1
	case All:
		return n
	}
	return 1
}
