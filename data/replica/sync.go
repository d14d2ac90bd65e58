package replica

import (
	"slices"
	"time"

	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/model"
)

// lookLocked finds what a replica lacks of what another owner has stated.
func (n *Node) lookLocked(s *shard, v *view) {
	if !v.heard || !s.loaded {
		return
	}
	v.missing = v.set.Minus(s.applied)
	if !v.missing.Empty() {
		n.mu.behind[s.id] = s
		// Remembered though it may be pulled in a moment: whoever knows that
		// something is missing must not forget that in a restart.
		if _, ok := s.excuses[v.node]; ok {
			delete(s.excuses, v.node)
			n.mu.excuses++
		}
	}
	n.metLocked(s, v)
}

// metLocked notes what follows when nothing is missing of what an owner has
// said: a version below which all its batches are here, and that this replica
// was in sync with it in its present run.
func (n *Node) metLocked(s *shard, v *view) {
	p := n.mu.peers[v.node]
	if !v.whole(s) {
		return
	}
	floor := p.cutoff
	if v.lowIn == p.seen {
		floor = v.low
	}
	v.noted = max(v.noted, floor)
	if s.excuses[v.node] != p.start {
		s.excuses[v.node] = p.start
		n.mu.excuses++
	}
}

// whole reports whether v is a statement about the present owner set of which
// nothing is missing here.
func (v *view) whole(s *shard) bool {
	sameOwners := v.revision == s.revision || mutant.Is(mutant.RevisionIgnored)
	return s.loaded && v.heard && sameOwners && v.missing != nil && v.missing.Empty()
}

// freshLocked reports whether an owner was met a moment ago and nothing was
// missing. By our monotonic clock: what it had taken a CutoffAge before it said
// so was stated, whatever the time of day is here or there.
func (n *Node) freshLocked(now Time, s *shard, v *view) bool {
	p := n.mu.peers[v.node]
	return v.whole(s) && p.heard && now.Mono-p.echoed <= n.cfg.SyncFor
}

// InSync reports whether a replica may answer reads: it was met by every other
// owner that may have taken batches, a moment ago, and nothing was missing.
// An owner that is away is excused when its lease has ended and this replica had
// been in sync with it in its last run. Otherwise missing says who was not met.
func (n *Node) InSync(now Time, id uint64) (missing []uint64, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil || !s.loaded || !s.state.serves() {
		return nil, false
	}
	if mutant.Is(mutant.JoinerInSync) {
		return nil, true
	}
	for _, o := range s.owners {
		if v := s.views[o.Node]; v != nil && o.State.serves() && !n.freshLocked(now, s, v) && !n.excusedLocked(s, v) {
			missing = append(missing, o.Node)
		}
	}
	return missing, len(missing) == 0
}

// excusedLocked reports whether an owner need not be met.
func (n *Node) excusedLocked(s *shard, v *view) bool {
	info, registered := n.mu.nodes[v.node]
	if !n.mu.known || info.Alive || !registered || v.missing != nil && !v.missing.Empty() {
		return false
	}
	start, ok := s.excuses[v.node]
	return ok && start == max(info.Start, n.mu.peers[v.node].start)
}

// CaughtUp reports whether a joining replica holds all that the others hold, as
// far as they are alive: it may become active.
func (n *Node) CaughtUp(now Time, id uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil || !s.loaded || s.state != Joining || !n.mu.known {
		return false
	}
	met := false
	for _, o := range s.owners {
		v := s.views[o.Node]
		if v == nil || !o.State.serves() {
			continue
		}
		fresh := n.freshLocked(now, s, v)
		if !fresh && n.mu.nodes[o.Node].Alive {
			return false
		}
		met = met || fresh && o.State == Active
	}
	return met
}

// Drained reports whether a leaving replica may go: every active owner knows
// that it leaves, and holds all that this replica let in before it knew so
// itself. What it lets in afterwards counts only if a staying owner takes it, too.
func (n *Node) Drained(now Time, id uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil || !s.loaded || s.state != Leaving {
		return false
	}
	for _, p := range s.pending {
		if p.revision < s.revision && p.writers > 0 {
			return false
		}
	}
	active := 0
	for _, o := range s.owners {
		v := s.views[o.Node]
		if v == nil || o.State != Active {
			continue
		}
		active++
		if !n.freshLocked(now, s, v) || !v.set.ContainsAll(s.before) {
			return false
		}
	}
	return active > 0
}

// Excuses gives, by shard and node, the start in which a replica was last in
// sync with that node, and a number that changes with them. They are to be kept
// on disk, for a node that is away must be excused also after a restart.
func (n *Node) Excuses() (excuses map[uint64]map[uint64]uint64, change uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	excuses = make(map[uint64]map[uint64]uint64)
	for id, s := range n.mu.shards {
		for node, start := range s.excuses {
			if excuses[id] == nil {
				excuses[id] = make(map[uint64]uint64)
			}
			excuses[id][node] = start
		}
	}
	return excuses, n.mu.excuses
}

// SetExcuses gives back what Excuses gave for a shard in the last run, once its
// owners are set.
func (n *Node) SetExcuses(id uint64, excuses map[uint64]uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil {
		return
	}
	for node, start := range excuses {
		if s.views[node] != nil {
			s.excuses[node] = max(s.excuses[node], start)
		}
	}
}

// Lag is how far a replica is behind another owner.
type Lag struct {
	Node    uint64
	Met     bool          // it has answered in this run, and knows the same owners
	Age     time.Duration // since it was last met
	Batches uint64        // it holds and this replica lacks
}

// Lags gives how far a replica is behind each of the other owners that serve.
func (n *Node) Lags(now Time, id uint64) []Lag {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil {
		return nil
	}
	var all []Lag
	for _, o := range s.owners {
		v := s.views[o.Node]
		if v == nil || !o.State.serves() {
			continue
		}
		p := n.mu.peers[o.Node]
		l := Lag{Node: o.Node, Met: p.heard && v.heard && v.revision == s.revision}
		if p.heard {
			l.Age = now.Mono - p.echoed
		}
		if v.missing != nil {
			l.Batches = v.missing.Len()
		}
		all = append(all, l)
	}
	return slices.Clip(all)
}

// Known reports whether every other owner holds the batches durably, so that
// the log need not keep them for anybody.
func (n *Node) Known(id uint64, ids *model.BatchSet) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil {
		return false
	}
	for _, o := range s.owners {
		v := s.views[o.Node]
		if v == nil || o.State == Rebuild {
			continue
		}
		if !v.heard || !v.set.ContainsAll(ids) {
			if mutant.Is(mutant.KnownWithoutAll) && v.heard {
				continue
			}
			return false
		}
	}
	return true
}
