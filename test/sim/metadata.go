package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/internal/mutant"
)

const (
	leaseTTL      = 3 * time.Second
	leaseInterval = time.Second
)

// snapshot is the metadata at a revision. It is never changed.
type snapshot struct {
	revision uint64
	nodes    []metaNode  // by id
	shards   []metaShard // by id
}

type metaNode struct {
	id      uint64
	machine int
	start   uint64
	alive   bool
}

type metaShard struct {
	id       uint64
	revision uint64
	dropped  bool
	factor   int
	owners   []metaOwner // by node
}

type metaOwner struct {
	node     uint64
	state    replica.State
	replaces uint64 // the leaving owner whose place it takes; 0: none
}

func (s *snapshot) node(id uint64) *metaNode {
	i, ok := slices.BinarySearchFunc(s.nodes, id, func(n metaNode, id uint64) int { return cmp.Compare(n.id, id) })
	if !ok {
		return nil
	}
	return &s.nodes[i]
}

func (s *snapshot) shard(id uint64) *metaShard {
	i, ok := slices.BinarySearchFunc(s.shards, id, func(s metaShard, id uint64) int { return cmp.Compare(s.id, id) })
	if !ok {
		return nil
	}
	return &s.shards[i]
}

func (s *metaShard) owner(node uint64) *metaOwner {
	for i := range s.owners {
		if s.owners[i].node == node {
			return &s.owners[i]
		}
	}
	return nil
}

func (s *metaShard) count(states ...replica.State) int {
	n := 0
	for _, o := range s.owners {
		if slices.Contains(states, o.state) {
			n++
		}
	}
	return n
}

func (s *metaShard) String() string {
	text := fmt.Sprintf("shard %d r%d", s.id, s.revision)
	for _, o := range s.owners {
		text += fmt.Sprintf(" %d:%s", o.node, o.state)
	}
	if s.dropped {
		text += " dropped"
	}
	return text
}

// metadata is the store of the metadata: changes are one after the other, and
// every machine sees them in order, some time later.
type metadata struct {
	w      *world
	state  *snapshot
	away   time.Duration // it answers nobody before this time
	leases map[uint64]time.Duration
	nextID uint64 // of nodes and shards, never used twice
}

func newMetadata(w *world) *metadata {
	return &metadata{w: w, state: &snapshot{revision: 1}, leases: map[uint64]time.Duration{}}
}

func (m *metadata) id() uint64 {
	m.nextID++
	return m.nextID
}

// answers reports whether a machine can ask the store.
func (m *metadata) answers(machine int) bool {
	return m.w.now >= m.away && m.w.net.open(machine, metaMachine) && m.w.net.open(metaMachine, machine)
}

// change makes a new snapshot of the old one and tells the machines.
func (m *metadata) change(f func(s *snapshot)) {
	next := &snapshot{revision: m.state.revision + 1, nodes: slices.Clone(m.state.nodes), shards: slices.Clone(m.state.shards)}
	for i := range next.shards {
		next.shards[i].owners = slices.Clone(next.shards[i].owners)
	}
	f(next)
	m.state = next
	for _, mc := range m.w.machines {
		m.tell(mc, next)
	}
}

// tell lets a machine see s after a while, unless it sees a later one before.
func (m *metadata) tell(mc *machine, s *snapshot) {
	m.w.after(m.w.watchLag(), func() {
		if m.answers(mc.number) {
			mc.see(s)
		}
	})
}

// changeShard changes the owners of a shard, which gives them a new revision. f
// refuses by giving false.
func (m *metadata) changeShard(id uint64, why string, f func(s *metaShard) bool) bool {
	now := m.state.shard(id)
	if now == nil || now.dropped {
		return false
	}
	next := *now
	next.owners = slices.Clone(now.owners)
	if !f(&next) {
		return false
	}
	m.w.watchHidden()
	next.revision++
	slices.SortFunc(next.owners, func(a, b metaOwner) int { return cmp.Compare(a.node, b.node) })
	m.change(func(s *snapshot) { *s.shard(id) = next })
	m.w.tracef("meta: %s: %v", why, &next)
	return true
}

// register enters a node that starts, alive. start counts the starts of its
// directory; one that has none gets an id, and takes the places of the node
// that the machine was before.
func (m *metadata) register(machine int, node, start uint64) uint64 {
	if node != 0 {
		m.change(func(s *snapshot) {
			n := s.node(node)
			n.start, n.alive = start, true
		})
		m.leases[node] = m.w.now + leaseTTL
		return node
	}
	var old uint64
	for _, n := range m.state.nodes {
		if n.machine == machine {
			old = n.id
		}
	}
	if old != 0 && mutant.Is(mutant.WipedNodeTrusted) {
		return m.register(machine, old, m.state.node(old).start+1)
	}
	node = m.id()
	m.change(func(s *snapshot) {
		s.nodes = slices.DeleteFunc(s.nodes, func(n metaNode) bool { return n.id == old })
		s.nodes = append(s.nodes, metaNode{id: node, machine: machine, start: start, alive: true})
	})
	m.leases[node] = m.w.now + leaseTTL
	for _, sh := range m.state.shards {
		if old == 0 || sh.owner(old) == nil {
			continue
		}
		m.changeShard(sh.id, fmt.Sprintf("node %d takes the place of %d", node, old), func(s *metaShard) bool {
			s.owners = slices.DeleteFunc(s.owners, func(o metaOwner) bool { return o.node == old })
			state := replica.Joining
			if !s.revive() {
				state = replica.Active // there is nobody left to copy from
			}
			for i := range s.owners {
				if s.owners[i].replaces == old {
					s.owners[i].replaces = 0
				}
			}
			s.owners = append(s.owners, metaOwner{node: node, state: state})
			return true
		})
	}
	return node
}

// renew keeps a node alive.
func (m *metadata) renew(node uint64) {
	m.leases[node] = m.w.now + leaseTTL
	if n := m.state.node(node); n != nil && !n.alive {
		m.change(func(s *snapshot) { s.node(node).alive = true })
	}
}

// expire ends leases that were not renewed, all but those of nodes that could
// not renew theirs because the store was away.
func (m *metadata) expire() {
	if m.w.now < m.away {
		return
	}
	for _, n := range m.state.nodes {
		if n.alive && m.w.now > m.leases[n.id] && m.w.now > m.away+leaseTTL {
			m.w.tracef("meta: lease of node %d ends", n.id)
			m.change(func(s *snapshot) { s.node(n.id).alive = false })
		}
	}
}

// createShard makes a shard with these owners, all active.
func (m *metadata) createShard(factor int, nodes []uint64) uint64 {
	id := m.id()
	m.change(func(s *snapshot) {
		sh := metaShard{id: id, revision: 1, factor: factor}
		for _, n := range nodes {
			sh.owners = append(sh.owners, metaOwner{node: n, state: replica.Active})
		}
		slices.SortFunc(sh.owners, func(a, b metaOwner) int { return cmp.Compare(a.node, b.node) })
		s.shards = append(s.shards, sh)
	})
	m.w.tracef("meta: created %v", m.state.shard(id))
	return id
}

// dropShard takes a shard away for ever.
func (m *metadata) dropShard(id uint64) {
	m.change(func(s *snapshot) { s.shard(id).dropped = true })
	m.w.tracef("meta: dropped shard %d", id)
}
