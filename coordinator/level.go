package coordinator

import (
	"strings"

	"github.com/varvedb/varve/coordinator/fanout"
	"github.com/varvedb/varve/model"
)

// Level is how many owners must have a write before it is acknowledged.
type Level = fanout.Level

// The levels. The zero Level is the server's default.
const (
	Default = fanout.Default
	Any     = fanout.Any // one owner, or where none could be sent it the coordinator itself
	One     = fanout.One
	Quorum  = fanout.Quorum // more than half
	All     = fanout.All
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
