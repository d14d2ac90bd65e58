package replica

import (
	"fmt"

	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/model"
)

// Hand says how a batch comes to an owner. The zero Hand is first-hand: from the
// coordinator that has stamped it.
type Hand struct {
	// Holder is an owner that holds the batch already, which is taken like a
	// pull then, whatever its version.
	Holder uint64
}

// FirstHand is how a batch comes from the coordinator that has stamped it.
var FirstHand = Hand{}

// Verdict says what to do with a batch.
type Verdict uint8

// The verdicts.
const (
	Refuse Verdict = iota
	Take           // write it, then call Durable or Abort, also when another call is writing it just now
	Have           // it is held durably
)

var (
	// errStale says that the batch is not held here and never will be taken
	// first-hand.
	errStale  = fmt.Errorf("%w: below the fence: %w", model.ErrStale, model.ErrUnavailable)
	errTooNew = fmt.Errorf("stamped by a clock that is ahead: %w", model.ErrUnavailable)
	errNotYet = fmt.Errorf("replica is not open yet: %w", model.ErrUnavailable)
)

// Admit decides about a batch that came for a shard, and enters one that is to
// be taken into the batches that are not durable yet. revision is that of the
// owner set that the sender knows, 0 when it is not to be compared.
//
// The errors: model.ErrStale: it is not held and never will be taken first-hand;
// model.ErrMoved: sender and owner know different owner sets, or this node is no
// owner; model.ErrUnavailable in all other cases, which pass.
func (n *Node) Admit(now Time, id, revision uint64, v model.Version, hand Hand) (Verdict, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tickLocked(now)
	s := n.mu.shards[id]
	switch {
	case s == nil || s.state == "":
		return Refuse, fmt.Errorf("shard %d: this node is no owner: %w", id, model.ErrMoved)
	case s.loaded && s.applied.Contains(v.ID):
		return Have, nil
	case revision != 0 && revision != s.revision:
		return Refuse, fmt.Errorf("shard %d: revision %d of its owners, not %d: %w", id, s.revision, revision, model.ErrMoved)
	case !s.loaded || s.state == Rebuild:
		return Refuse, errNotYet
	}
	p, ok := s.pending[v.ID]
	if !ok {
		if err := n.checkLocked(now, s, v, hand); err != nil {
			return Refuse, err
		}
	}
	if !ok {
		p = arriving{version: v, revision: s.revision}
	}
	p.writers++
	s.pending[v.ID] = p
	if mutant.Is(mutant.AppliedBeforeSync) && s.applied.Add(v.ID) {
		s.recent = append(s.recent, arrival{v, n.mu.mono})
	}
	return Take, nil
}

// checkLocked decides by the version of a batch. It is the fence: what it lets
// pass is not below any floor that was told, and is pending from then on.
func (n *Node) checkLocked(now Time, s *shard, v model.Version, hand Hand) error {
	if hand != FirstHand {
		switch o := s.owner(hand.Holder); {
		case o.State == "" || o.State == Rebuild:
			return fmt.Errorf("shard %d: node %d, which holds the batch, is no owner: %w", s.id, hand.Holder, model.ErrMoved)
		case v.HLC < s.frontier:
			n.mu.counters.Below++
			return fmt.Errorf("batch %v is below the frontier: %w", v.ID, errStale)
		}
		return nil
	}
	low := max(back(n.mu.clock, n.cfg.Fence), n.cfg.Found)
	if mutant.Is(mutant.FenceIgnored) {
		low = 0
	}
	switch {
	case !s.state.serves() && !mutant.Is(mutant.JoinerCounts):
		return fmt.Errorf("shard %d: this replica is not complete yet: %w", s.id, model.ErrUnavailable)
	case n.clockOffLocked(now) != nil:
		n.mu.counters.ClockOff++
		return n.clockOffLocked(now)
	case v.HLC < low:
		n.mu.counters.Stale++
		return errStale
	case v.HLC > ahead(n.mu.clock, n.cfg.Fence):
		n.mu.counters.TooNew++
		return errTooNew
	}
	return nil
}

// owner gives an owner of s; without a state when the node is none.
func (s *shard) owner(node uint64) Owner {
	for _, o := range s.owners {
		if o.Node == node {
			return o
		}
	}
	return Owner{Node: node}
}

// Durable says that a batch that was to be taken is durable, and reports whether
// it may be acknowledged: not by a replica that was given up meanwhile, for what
// it has to hand over may have been looked up before.
func (n *Node) Durable(id uint64, v model.Version) (counts bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil {
		return false
	}
	counts = s.loaded && s.state != "" && s.state != Rebuild
	p := s.pending[v.ID]
	delete(s.pending, v.ID)
	if !s.loaded || !s.applied.Add(v.ID) {
		return counts
	}
	if s.before != nil && p.revision < s.revision {
		s.before.Add(v.ID)
	}
	if v.HLC < n.mu.cutoff {
		s.settled.Add(v.ID)
		n.restateLocked(s)
	} else {
		s.recent = append(s.recent, arrival{v, n.mu.mono})
	}
	for _, w := range s.views {
		if w.missing != nil && w.missing.Contains(v.ID) {
			w.missing.Remove(v.ID)
			n.metLocked(s, w)
		}
	}
	return counts
}

// Abort says that a batch that was to be taken has certainly not been written.
// After a sync that failed nobody can say that: see Unsure.
func (n *Node) Abort(id uint64, v model.Version) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil {
		return
	}
	p := s.pending[v.ID]
	if p.writers > 1 {
		// Another call may have more luck: the keys of the series, say.
		p.writers--
		s.pending[v.ID] = p
		return
	}
	delete(s.pending, v.ID)
	n.restateLocked(s)
}

// Unsure says that nobody can say whether a batch that was to be taken is
// durable, since a sync has failed. It stays pending, and with it the floor,
// until the replica is opened again; nobody was told that it is held.
func (n *Node) Unsure(id uint64, v model.Version) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil {
		return
	}
	if p, ok := s.pending[v.ID]; ok {
		p.writers--
		s.pending[v.ID] = p
	}
}
