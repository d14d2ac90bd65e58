package meta

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Move is a change of a shard's owners that takes time, since data is copied or
// must be known to be elsewhere. A shard has one at a time. It is immutable.
//
// To begins as Joining and becomes Active; From, then at the latest, becomes
// Leaving and goes. The states of the owners say how far it is; the record is
// gone with the last step.
type Move struct {
	Shard   uint64
	To      uint64 // the node that becomes an owner, or 0: the shard gets fewer
	From    uint64 // the owner that goes, or 0: the shard gets more
	Why     Reason
	Started time.Time
}

// Reason says why owners change.
type Reason string

// The reasons for a Move.
const (
	ForRecovery Reason = "recovery"  // an owner has been absent for too long
	ForFactor   Reason = "factor"    // more or fewer owners than the policy asks for
	ForDrain    Reason = "drain"     // an owner's node is to be emptied
	ForBalance  Reason = "rebalance" // see Rebalance
	ByHand      Reason = "by hand"
)

// maxReasonBytes bounds the text in a record of unknown origin.
const maxReasonBytes = 64

// Move gives the move of a shard in progress, or nil.
func (s *Snapshot) Move(shard uint64) *Move {
	if m := s.move(shard); m != nil {
		return &m.Move
	}
	return nil
}

// Moves gives all moves in progress, sorted by shard. Those of shards that were
// dropped meanwhile are among them for a while.
func (s *Snapshot) Moves() []*Move {
	out := make([]*Move, len(s.control.moves))
	for i, m := range s.control.moves {
		out[i] = &m.Move
	}
	return out
}

// Replaces gives the owner that is to go once node, an owner of the shard or
// about to be one, is active; 0 when there is none.
func (s *Snapshot) Replaces(shard, node uint64) uint64 {
	if m := s.move(shard); m != nil && m.To == node {
		return m.From
	}
	return 0
}

func (s *Snapshot) move(shard uint64) *move {
	i, ok := slices.BinarySearchFunc(s.control.moves, shard, compareMove)
	if !ok {
		return nil
	}
	return s.control.moves[i]
}

// controlState is what a Snapshot knows of the work of the controller. Its
// slices are small and replaced as a whole by every change.
type controlState struct {
	moves     []*move    // sorted by shard
	extra     []*extra   // sorted by shard
	absent    []*absence // sorted by node
	rebalance *rebalance // nil while there is none
}

type move struct {
	Move
	modified int64
}

type moveRecord struct {
	Format  int       `json:"format"`
	Shard   uint64    `json:"shard"`
	To      uint64    `json:"to,omitempty"`
	From    uint64    `json:"from,omitempty"`
	Why     Reason    `json:"why"`
	Started time.Time `json:"started"`
}

func (k keyspace) move(shard uint64) string { return fmt.Sprintf("%smoves/%016x", k.root, shard) }

func moveToRecord(m *Move) moveRecord {
	return moveRecord{recordFormat, m.Shard, m.To, m.From, m.Why, m.Started.UTC()}
}

func decodeMove(value []byte) (*Move, error) {
	r, err := decode(value, func(r *moveRecord) int { return r.Format })
	if err != nil {
		return nil, err
	}
	if _, ok := nanoseconds(r.Started); !ok || r.To == 0 && r.From == 0 || r.To == r.From || len(r.Why) > maxReasonBytes {
		return nil, corrupt("move of shard %d from %d to %d because of %.64q, begun at %s", r.Shard, r.From, r.To, r.Why, r.Started)
	}
	return &Move{r.Shard, r.To, r.From, r.Why, r.Started}, nil
}

func (b *builder) applyMove(c Change, rest string) error {
	id, err := parseID(rest)
	if err != nil {
		return err
	}
	moves := slices.Clone(b.next.control.moves)
	if c.Removed {
		b.next.control.moves = remove(moves, id, compareMove)
		return nil
	}
	m, err := decodeMove(c.Value)
	if err != nil {
		return err
	}
	if m.Shard != id {
		return corrupt("key and value name shards %d and %d", id, m.Shard)
	}
	b.next.control.moves = insert(moves, id, &move{*m, c.Modified}, compareMove)
	return nil
}

func compareMove(m *move, shard uint64) int { return cmp.Compare(m.Shard, shard) }
