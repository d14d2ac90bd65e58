package replica

import (
	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/model"
)

// Frontier gives a version below which no batch can arrive any more at any
// owner of a shard. It never goes back. One owner that is away holds it where it
// is: that owner may have batches that nobody else has.
func (n *Node) Frontier(now Time, id uint64) model.HLC {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tickLocked(now)
	s := n.mu.shards[id]
	if s == nil {
		return 0
	}
	if !s.loaded || s.state == "" || s.state == Rebuild {
		return s.frontier
	}
	// The own floor. It was told or may be told: the clock is promised durably,
	// and Admit refuses what is below.
	frontier := s.floor(back(n.mu.clock, n.cfg.Fence))
	for _, o := range s.owners {
		v := s.views[o.Node]
		if v == nil || o.State == Rebuild {
			continue
		}
		if mutant.Is(mutant.FrontierForgotten) && v.noted == 0 {
			continue
		}
		frontier = min(frontier, v.noted)
	}
	s.frontier = max(s.frontier, frontier)
	return s.frontier
}
