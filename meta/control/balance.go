package control

import (
	"github.com/varvedb/varve/meta"
)

// balance gives the steps of the rebalance under way that may be begun now, and
// how many of its moves are left, those in progress included.
func (v *view) balance() (steps []step, left int) {
	r := v.now.Rebalance()
	if r == nil {
		return nil, 0
	}
	for _, m := range v.now.Moves() {
		if m.Why == meta.ForBalance {
			left++
		}
	}
	for _, m := range r.Moves {
		sh := v.movable(m)
		if sh == nil {
			continue
		}
		left++
		to, s := v.node(m.To), v.staff(sh)
		if v.busy[m.Shard] || s.joiner != nil || s.leaving != nil || s.serving == 0 {
			continue
		}
		if !to.takes || to.joins >= v.cfg.MovesPerNode || v.copying >= v.cfg.MovesAtOnce {
			continue
		}
		steps = append(steps, step{do: addition, shard: m.Shard, node: m.To, from: m.From, why: meta.ForBalance})
		v.start(steps[len(steps)-1])
		v.busy[m.Shard] = true
	}
	return steps, left
}

// movable gives the shard of a planned move that has not begun and still makes
// sense, or nil.
func (v *view) movable(m meta.PlannedMove) *meta.Shard {
	g, sh := v.now.Shard(m.Shard)
	if g == nil || !g.Live() || v.state(sh, m.From) != meta.Active || v.state(sh, m.To) != "" {
		return nil
	}
	to := v.now.Node(m.To)
	if to == nil || !to.TakesData() || v.node(m.To).gone {
		return nil
	}
	return sh
}
