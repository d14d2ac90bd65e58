package fanout

import (
	"slices"

	"github.com/varvedb/varve/internal/mutant"
)

// State says what an owner counts for. The texts are those of the metadata.
type State string

// The states that matter here; any other is like Joining.
const (
	Active  State = "active"
	Leaving State = "leaving"
	Joining State = "joining"
	Rebuild State = "rebuild"
)

// Owner is a node that keeps a replica of the shard.
type Owner struct {
	Node  uint64
	State State
	// Replaces is the leaving owner whose place an active one takes; 0: none.
	Replaces uint64
}

// Sets gives the owners among which a level must be met, each once and by
// node: those after the moves that are under way, and those before. With no
// owner leaving both are the same.
func Sets(owners []Owner) (after, before []uint64) {
	leaving := make(map[uint64]bool)
	for _, o := range owners {
		if o.State == Leaving {
			leaving[o.Node] = true
		}
	}
	for _, o := range owners {
		switch {
		case o.State == Active, mutant.Is(mutant.JoinerCounts) && o.State == Joining:
			after = append(after, o.Node)
			if o.Replaces == 0 || !leaving[o.Replaces] {
				before = append(before, o.Node)
			}
		case o.State == Leaving:
			before = append(before, o.Node)
		}
	}
	slices.Sort(after)
	slices.Sort(before)
	return after, before
}

// Needs gives how many of one of the Sets of owners must answer. To a quorum,
// and to all, owners that must copy their replica anew are owners that are away: if they
// did not count, what the others then call a quorum could be met without a node
// that those who have not heard of the change take for one of theirs, and a
// quorum of these could answer without what the others have acknowledged.
func Needs(l Level, owners []Owner, set []uint64) int {
	n := len(set)
	if l == Quorum || l == All {
		for _, o := range owners {
			if o.State == Rebuild {
				n++
			}
		}
	}
	return max(1, l.Needs(n))
}
