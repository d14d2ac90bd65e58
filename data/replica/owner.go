package replica

import (
	"time"

	"github.com/varvedb/varve/model"
)

// Self names a run of a data node. A node id is never used for two data
// directories; Start counts the starts of the directory.
type Self struct {
	Node, Start uint64
}

// State is what an owner counts for.
type State string

// The states of an owner. Joining owners are building their copy, leaving ones
// go when the others hold all they hold; rebuild marks a replica that has lost
// something and must be copied anew.
const (
	Joining State = "joining"
	Active  State = "active"
	Leaving State = "leaving"
	Rebuild State = "rebuild"
)

// Owner is a data node that keeps a replica of a shard.
type Owner struct {
	Node  uint64
	State State
}

// serves reports whether an owner in that state answers reads and takes batches
// first-hand.
func (s State) serves() bool { return s == Active || s == Leaving }

// NodeInfo is what the metadata says of a node.
type NodeInfo struct {
	Start uint64 // the last one that it registered
	Alive bool   // it has a lease
}

// Time is the time of an event.
type Time struct {
	HLC  model.HLC     // a reading of the node's clock, which is promised durably
	Mono time.Duration // of this process; never steps
}

// back gives the reading that is d before h.
func back(h model.HLC, d time.Duration) model.HLC {
	if ago := model.HLC(d.Milliseconds()) << 16; ago < h {
		return h - ago
	}
	return 0
}

// ahead gives the reading that is d after h.
func ahead(h model.HLC, d time.Duration) model.HLC { return h + model.HLC(d.Milliseconds())<<16 }
