package replica

import (
	"github.com/varvedb/varve/internal/mutant"
)

// Receive takes in a message of another node. Old ones do no harm. One for
// another run of this node says only that the sender is there.
func (n *Node) Receive(now Time, m *Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tickLocked(now)
	if m.To != n.self.Node || m.From.Node == n.self.Node {
		return
	}
	p := n.peerLocked(m.From.Node)
	switch {
	case m.From.Start < p.start:
		return
	case m.From.Start > p.start:
		n.restartedLocked(m.From.Node, p, m.From.Start)
	}
	if m.Number <= p.seen {
		return
	}
	p.seen, p.ping = m.Number, m.Ping
	if m.ToStart != n.self.Start {
		// It leaves out what an earlier run has acknowledged, and so may those
		// that follow until the sender has heard of this run.
		return
	}
	p.cutoff = m.Cutoff
	n.answeredLocked(now, p, m)
	whole := true
	for i := range m.Statements {
		whole = n.statedLocked(p, m, &m.Statements[i]) && whole
	}
	if whole {
		p.got = m.Number
	}
	// Of the shards that are not mentioned, too, it has told a new floor.
	for _, x := range n.sharedLocked()[m.From.Node] {
		n.metLocked(x.shard, x.view)
	}
}

// restartedLocked forgets what a node has said and heard in its last run.
func (n *Node) restartedLocked(node uint64, p *peer, start uint64) {
	if mutant.Is(mutant.OldStartTrusted) {
		p.start = start
		return
	}
	p.start, p.seen, p.got, p.ping, p.heard, p.measured = start, 0, 0, 0, false, false
	for id, s := range n.mu.shards {
		v := s.views[node]
		if v == nil {
			continue
		}
		*v = view{node: node}
		p.unacked[id] = s
	}
}

// answeredLocked notes that a node has heard messages of this run.
func (n *Node) answeredLocked(now Time, p *peer, m *Message) {
	if !p.heard || m.Echo > p.echoed {
		p.heard, p.echoed = m.Echo > 0 || p.heard, m.Echo
		n.measureLocked(now, p, m)
	}
	for id, s := range p.unacked {
		v := s.views[m.From.Node]
		if v.statedSince == 0 || m.Got < v.statedSince {
			continue
		}
		if v.acked = v.stated; v.acked == s.generation {
			delete(p.unacked, id)
		}
	}
}

// statedLocked takes in a statement. It reports false for a shard that is not
// known here yet: the sender must say it again.
func (n *Node) statedLocked(p *peer, m *Message, st *Statement) bool {
	s := n.mu.shards[st.Shard]
	if s == nil {
		return false
	}
	v := s.views[m.From.Node]
	if v == nil {
		return st.Revision <= s.revision // it will learn that it is no owner; or this node will that it is
	}
	if v.heard && st.Revision < v.revision {
		return true
	}
	if v.revision != st.Revision {
		v.noted = 0
	}
	v.heard, v.revision, v.set = true, st.Revision, st.Set
	if v.trimmed != nil {
		v.trimmed = v.trimmed.Intersect(st.Set)
	}
	v.lowIn = 0
	if st.Floor < m.Cutoff {
		v.low, v.lowIn = st.Floor, m.Number
	}
	n.lookLocked(s, v)
	return true
}
