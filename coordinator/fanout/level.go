package fanout

import "github.com/varvedb/varve/internal/mutant"

// Level is how many owners must have a write before it is acknowledged.
type Level uint8

// The levels. The zero Level is the server's default; a Write takes it for One.
const (
	Default Level = iota
	Any           // one owner, or where none could be sent it the coordinator itself
	One
	Quorum // more than half
	All
)

// Needs gives how many of n owners must answer.
func (l Level) Needs(n int) int {
	switch l {
	case Quorum:
		if mutant.Is(mutant.HalfIsQuorum) {
			return max(1, n/2)
		}
		return n/2 + 1
	case All:
		return n
	}
	return 1
}
