package replica

import (
	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/model"
)

// maxFirstStatements bounds the statements of a message about shards that the
// addressee has not heard of from this run: after a start there may be
// thousands. All others must be in every message until they are acknowledged.
const maxFirstStatements = 1000

// Tell gives the next message to another node, nil when there is no shard to
// talk about. It is to be sent about five times a second, and as the answer to
// a message; one that gets lost does no harm.
func (n *Node) Tell(now Time, to uint64) *Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tickLocked(now)
	p := n.mu.peers[to]
	if p == nil {
		return nil
	}
	n.settleLocked()
	p.number++
	m := &Message{
		From: n.self, To: to, ToStart: p.start, Number: p.number, Got: p.got, Ping: max(1, now.Mono), Echo: p.ping,
		Clock: n.mu.clock, Cutoff: n.mu.cutoff,
	}
	first := 0
	for _, s := range inOrder(p.unacked) {
		if !s.loaded || s.state == "" || s.state == Rebuild {
			continue // it can say nothing that would hold
		}
		v := s.views[to]
		if v.statedSince == 0 {
			if first == maxFirstStatements {
				continue
			}
			first++
		}
		if v.stated != s.generation || v.statedSince == 0 {
			v.stated, v.statedSince = s.generation, p.number
		}
		m.Statements = append(m.Statements, Statement{Shard: s.id, Revision: s.revision, Floor: s.floor(n.mu.cutoff), Set: s.settled.Clone()})
	}
	return m
}

// settleLocked moves the cut-off on, and states the batches that it has passed
// or that were taken long enough ago. The second is for a clock that does not
// move: one that was set back, until the time that it had shown comes again.
func (n *Node) settleLocked() {
	cutoff := back(n.mu.clock, n.cfg.CutoffAge)
	n.mu.cutoff = max(n.mu.cutoff, cutoff)
	for _, s := range n.mu.shards {
		if len(s.recent) == 0 && len(s.pending) == 0 {
			continue
		}
		moved := false
		kept := s.recent[:0]
		for _, a := range s.recent {
			if a.version.HLC < n.mu.cutoff || n.mu.mono-a.at >= n.cfg.CutoffAge {
				s.settled.Add(a.version.ID)
				moved = true
			} else {
				kept = append(kept, a)
			}
		}
		s.recent = kept
		if moved || s.floor(n.mu.cutoff) < n.mu.cutoff {
			n.restateLocked(s)
		}
	}
}

// floor gives the lowest version that is not durable yet, or the bound.
func (s *shard) floor(bound model.HLC) model.HLC {
	if mutant.Is(mutant.FloorWithoutPending) {
		return bound
	}
	for _, p := range s.pending {
		bound = min(bound, p.version.HLC)
	}
	return bound
}
