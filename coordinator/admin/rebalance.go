package admin

import (
	"context"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/control"
	"github.com/varvedb/varve/model"
)

// underWay gives the plan that is being carried out, or nil.
func (a *Admin) underWay(s *meta.Snapshot) *adminapi.Rebalance {
	r := s.Rebalance()
	if r == nil {
		return nil
	}
	out := &adminapi.Rebalance{Started: r.Started, Round: r.Round, Moves: planned(s, r.Moves)}
	for _, m := range r.Moves {
		if !isOwner(s, m.Shard, m.From) {
			out.Done++
		}
	}
	return out
}

func isOwner(s *meta.Snapshot, shard, node uint64) bool {
	_, sh := s.Shard(shard)
	if sh == nil {
		return false
	}
	for _, o := range sh.Owners {
		if o.Node == node {
			return true
		}
	}
	return false
}

func planned(s *meta.Snapshot, moves []meta.PlannedMove) []adminapi.PlannedMove {
	out := make([]adminapi.PlannedMove, len(moves))
	for i, m := range moves {
		out[i] = adminapi.PlannedMove{Shard: m.Shard, From: nameOf(s, m.From), To: nameOf(s, m.To), Bytes: m.Bytes}
	}
	return out
}

// plan makes a plan of now.
func (a *Admin) plan(ctx context.Context) (*meta.Snapshot, []meta.PlannedMove, error) {
	bytes, err := a.Measure(ctx)
	if err != nil {
		return nil, nil, err
	}
	s := a.Store.Snapshot()
	return s, control.Plan(s, bytes), nil
}

// showPlan answers GET /rebalance: the plan that is being carried out, or else
// what would be done.
func (a *Admin) showPlan(ctx context.Context) (any, error) {
	if r := a.underWay(a.Store.Snapshot()); r != nil {
		return r, nil
	}
	s, moves, err := a.plan(ctx)
	if err != nil {
		return nil, err
	}
	return &adminapi.Rebalance{Moves: planned(s, moves)}, nil
}

// applyPlan answers POST /rebalance. Without anything to move nothing begins.
func (a *Admin) applyPlan(ctx context.Context) (any, error) {
	if a.Store.Snapshot().Rebalance() != nil {
		return nil, &model.Error{Kind: model.ErrConflict, Text: "a rebalance is under way; cancel it first"}
	}
	s, moves, err := a.plan(ctx)
	if err != nil {
		return nil, err
	}
	if len(moves) > 0 {
		if err := a.Store.StartRebalance(ctx, moves); err != nil {
			return nil, err
		}
	}
	return &adminapi.Rebalance{Moves: planned(s, moves)}, nil
}

// cancelPlan answers DELETE /rebalance.
func (a *Admin) cancelPlan(ctx context.Context) (any, error) {
	return nil, a.Store.CancelRebalance(ctx)
}
