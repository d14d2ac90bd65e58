package replica

import (
	"time"

	"github.com/varvedb/varve/model"
)

// Debt is what another owner is not known to hold of what a replica holds.
type Debt struct {
	Node    uint64
	Heard   bool          // it has stated in its present run what it holds
	Batches uint64        // it lacks
	Age     time.Duration // since it was last met in this run, or since the start
}

// Owed gives what the other owners, but those that are to be copied anew, are
// not known to hold of some of the batches of a replica; nil is all of them.
func (n *Node) Owed(now Time, id uint64, of *model.BatchSet) []Debt {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil || !s.loaded {
		return nil
	}
	if of == nil {
		of = s.applied
	}
	var all []Debt
	for _, o := range s.owners {
		v := s.views[o.Node]
		if v == nil || o.State == Rebuild {
			continue
		}
		d := Debt{Node: o.Node, Heard: v.heard, Age: now.Mono}
		if p := n.mu.peers[o.Node]; p.heard {
			d.Age -= p.echoed
		}
		if v.heard {
			d.Batches = of.Minus(v.set).Len()
		} else {
			d.Batches = of.Len()
		}
		all = append(all, d)
	}
	return all
}
