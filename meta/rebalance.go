package meta

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Rebalance is a plan that is being carried out. It is immutable. What of it is
// done is seen from the owners of the shards: a move whose From is no owner any
// more is.
type Rebalance struct {
	Started time.Time
	Round   int // from 1: the next plan for what the one before left unequal
	Moves   []PlannedMove
}

// PlannedMove is a part of a plan: a replica that is to go to another node.
type PlannedMove struct {
	Shard    uint64
	From, To uint64 // nodes
	Bytes    int64  // of the replica, when the plan was made
}

// MaxPlannedMoves bounds a plan, so that it fits into one value: etcd takes
// 1.5 MB. After a longer one a second plan does the rest.
const MaxPlannedMoves = 8192

type rebalance struct {
	Rebalance
	modified int64
}

type rebalanceRecord struct {
	Format  int                 `json:"format"`
	Started time.Time           `json:"started"`
	Round   int                 `json:"round"`
	Moves   []plannedMoveRecord `json:"moves"`
}

type plannedMoveRecord struct {
	Shard uint64 `json:"shard"`
	From  uint64 `json:"from"`
	To    uint64 `json:"to"`
	Bytes int64  `json:"bytes"`
}

func (k keyspace) rebalance() string { return k.root + "rebalance" }

// Rebalance gives the plan that is being carried out, or nil.
func (s *Snapshot) Rebalance() *Rebalance {
	if s.control.rebalance == nil {
		return nil
	}
	return &s.control.rebalance.Rebalance
}

// StartRebalance lets the controller carry out a plan. While one is under way
// the error is model.ErrConflict.
func (s *Store) StartRebalance(ctx context.Context, moves []PlannedMove) error {
	r := rebalanceRecord{Format: recordFormat, Started: time.Now().UTC(), Round: 1}
	if err := r.plan(moves); err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		if now.Rebalance() != nil {
			return false, conflict("a rebalance is under way; cancel it first")
		}
		key := s.keys.rebalance()
		return s.commit(ctx, "start rebalance", []Condition{{Key: key}}, []Op{Put(key, encode(r))})
	})
}

// NextRebalance puts a plan for the next round in the place of the one that
// started then, of which nothing is left to do. No moves end it. Another plan
// stays.
func (s *Store) NextRebalance(ctx context.Context, fence Fence, started time.Time, moves []PlannedMove) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		have := now.control.rebalance
		if have == nil || !have.Started.Equal(started) {
			return true, nil
		}
		key := s.keys.rebalance()
		op := Delete(key)
		if len(moves) > 0 {
			r := rebalanceRecord{Format: recordFormat, Started: time.Now().UTC(), Round: have.Round + 1}
			if err := r.plan(moves); err != nil {
				return false, err
			}
			op = Put(key, encode(r))
		}
		return s.fenced(ctx, "next rebalance", fence, []Condition{{Key: key, Revision: have.modified}}, []Op{op})
	})
}

func (r *rebalanceRecord) plan(moves []PlannedMove) error {
	if len(moves) == 0 || len(moves) > MaxPlannedMoves {
		return invalid(fmt.Sprintf("a plan has 1 to %d moves, not %d", MaxPlannedMoves, len(moves)))
	}
	for _, m := range moves {
		if m.From == 0 || m.To == 0 || m.From == m.To {
			return invalid(fmt.Sprintf("move of shard %d from node %d to node %d", m.Shard, m.From, m.To))
		}
		r.Moves = append(r.Moves, plannedMoveRecord(m))
	}
	return nil
}

// CancelRebalance forgets the plan and gives up the copies that its moves have
// begun. What a move has copied to the end stays where it is now. None under
// way is no error.
func (s *Store) CancelRebalance(ctx context.Context) error {
	r := s.Snapshot().Rebalance()
	if r == nil {
		if err := s.Refresh(ctx); err != nil {
			return err
		}
		if r = s.Snapshot().Rebalance(); r == nil {
			return nil
		}
	}
	// The plan first: else the controller would begin the moves again.
	if err := s.NextRebalance(ctx, Fence{}, r.Started, nil); err != nil {
		return err
	}
	for _, m := range s.Snapshot().Moves() {
		if m.Why != ForBalance {
			continue
		}
		if err := s.CancelMove(ctx, m.Shard); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) applyRebalance(c Change) error {
	if c.Removed {
		b.next.control.rebalance = nil
		return nil
	}
	r, err := decode(c.Value, func(r *rebalanceRecord) int { return r.Format })
	if err != nil {
		return err
	}
	if len(r.Moves) > MaxPlannedMoves {
		return corrupt("a plan of %d moves", len(r.Moves))
	}
	to := &rebalance{Rebalance{Started: r.Started, Round: r.Round}, c.Modified}
	for _, m := range r.Moves {
		to.Moves = append(to.Moves, PlannedMove(m))
	}
	to.Moves = slices.Clip(to.Moves)
	b.next.control.rebalance = to
	return nil
}
