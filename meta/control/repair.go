package control

import (
	"cmp"
	"slices"

	"github.com/varvedb/varve/meta"
)

// step is one change of a shard's owners that is due.
type step struct {
	do    deed
	shard uint64
	node  uint64
	from  uint64 // of an addition: the owner whose place node takes, or 0
	why   meta.Reason
}

type deed string

const (
	addition  deed = "begin to copy a shard"
	retiral   deed = "let an owner leave"
	removal   deed = "remove an owner"
	reversal  deed = "keep an owner that was leaving"
	oblivion  deed = "forget a move"
	noStepYet deed = ""
)

// need is what one shard lacks to be as it is to be.
type need struct {
	shard   *meta.Shard
	urgency int         // lower ones first
	step    step        // an addition names no node yet
	stay    []*nodeView // the owners that remain after an addition
}

// The urgency of a need. Between recovery and factor lies the number of owners
// that still serve.
const (
	toUnblock  = 0
	toRecover  = 1
	toComplete = 1000
	toDrain    = 1001
	toReduce   = 1002
)

// health counts shards that are not as they are to be.
type health struct {
	under int // fewer active owners alive than wanted
	lost  int // none
}

// repairs gives the steps that lead to the owners that every shard is to have,
// as far as they may be begun now, the most urgent first.
func (v *view) repairs() (steps []step, h health) {
	var needs []need
	for g := range v.shards {
		for i := range g.Shards {
			if n := v.examine(&g.Shards[i], &h); n.step.do != noStepYet {
				needs = append(needs, n)
			}
		}
	}
	slices.SortStableFunc(needs, func(a, b need) int {
		// Of equally urgent ones the newest first: it is asked for most.
		return cmp.Or(cmp.Compare(a.urgency, b.urgency), cmp.Compare(b.shard.ID, a.shard.ID))
	})
	for _, n := range needs {
		if v.begin(&n) {
			steps = append(steps, n.step)
		}
	}
	for _, m := range v.now.Moves() {
		if v.over(m) {
			steps = append(steps, step{do: oblivion, shard: m.Shard, why: m.Why})
		}
	}
	return steps, h
}

// over reports whether nothing is left to do for a move: its shard was dropped,
// or a wiped node that is new now was its joiner.
func (v *view) over(m *meta.Move) bool {
	g, sh := v.now.Shard(m.Shard)
	if g == nil || !g.Live() {
		return true
	}
	to := v.state(sh, m.To)
	return to != meta.Joining && to != meta.Rebuild && v.state(sh, m.From) != meta.Leaving
}

// begin completes the step of a need and reports whether it may be begun now.
func (v *view) begin(n *need) bool {
	switch n.step.do {
	case addition:
		to := v.choose(n.shard, n.stay)
		if to == nil {
			return false
		}
		n.step.node = to.id
		v.start(n.step)
	case retiral:
		if v.retiring >= v.cfg.MovesAtOnce {
			return false
		}
		v.retiring++
		v.node(n.step.node).load -= v.sizes.weight(n.step.shard)
	}
	v.busy[n.step.shard] = true
	return true
}

// start counts an addition that has been decided.
func (v *view) start(s step) {
	weight := v.sizes.weight(s.shard)
	v.copying++
	v.node(s.node).joins++
	v.node(s.node).load += weight
	if s.from != 0 {
		v.node(s.from).load -= weight
	}
}

// staff is the owners of a shard, by what they are worth.
type staff struct {
	active  []*nodeView
	coming  []*nodeView // joining or to be rebuilt, by themselves
	joiner  *nodeView   // joining, or to be rebuilt, for a move
	leaving *nodeView
	serving int // active ones that are alive
}

func (v *view) staff(sh *meta.Shard) (s staff) {
	m := v.now.Move(sh.ID)
	for _, o := range sh.Owners {
		n := v.node(o.Node)
		switch {
		case o.State == meta.Active:
			s.active = append(s.active, n)
			if n.alive {
				s.serving++
			}
		case o.State == meta.Leaving:
			s.leaving = n
		case m != nil && m.To == o.Node:
			s.joiner = n
		default:
			s.coming = append(s.coming, n)
		}
	}
	return s
}

// examine says what a shard needs next; one thing at a time, since each changes
// what comes after it.
func (v *view) examine(sh *meta.Shard, h *health) need {
	s, wanted := v.staff(sh), v.now.Wanted(sh.ID)
	if s.serving < wanted {
		h.under++
	}
	if s.serving == 0 && (s.leaving == nil || !s.leaving.alive) {
		h.lost++
	}
	switch {
	case s.leaving != nil:
		return v.awaitLeaver(sh, &s)
	case s.joiner != nil:
		return v.awaitJoiner(sh, &s)
	}
	return v.restaff(sh, &s, wanted)
}

// awaitLeaver gives up waiting for an owner that leaves when it never will: it
// is gone itself, or one of those is that must confirm that it may.
func (v *view) awaitLeaver(sh *meta.Shard, s *staff) need {
	n := need{shard: sh, urgency: toUnblock}
	blocked := slices.ContainsFunc(s.active, func(n *nodeView) bool { return n.gone })
	alone := !slices.ContainsFunc(s.active, func(n *nodeView) bool { return n.away < v.patience() })
	switch {
	case s.leaving.gone && s.serving > 0:
		n.step = step{do: removal, shard: sh.ID, node: s.leaving.id, why: meta.ForRecovery}
	case s.leaving.alive && (blocked || alone):
		n.step = step{do: reversal, shard: sh.ID, node: s.leaving.id, why: meta.ForRecovery}
	}
	return n
}

// awaitJoiner gives up a copy whose node is not there, or is to be emptied.
func (v *view) awaitJoiner(sh *meta.Shard, s *staff) need {
	n := need{shard: sh, urgency: toUnblock}
	if s.serving > 0 && (s.joiner.away >= v.patience() || s.joiner.drains) {
		n.step = step{do: removal, shard: sh.ID, node: s.joiner.id, why: v.now.Move(sh.ID).Why}
	}
	return n
}

// restaff looks at a shard whose owners are at rest, but for those that come
// back by themselves.
func (v *view) restaff(sh *meta.Shard, s *staff, wanted int) need {
	if s.serving == 0 {
		return need{} // nothing can be copied, and nobody may be given up
	}
	var stay []*nodeView
	for _, n := range s.coming {
		if n.gone || n.drains {
			return need{shard: sh, urgency: toUnblock, step: step{do: removal, shard: sh.ID, node: n.id, why: meta.ForRecovery}}
		}
		stay = append(stay, n)
	}
	firm := 0 // active owners that are alive and stay
	for _, n := range s.active {
		if n.gone || n.drains {
			continue
		}
		stay = append(stay, n)
		if n.alive {
			firm++
		}
	}
	for _, n := range s.active {
		if n.gone {
			return v.replace(sh, n, stay, firm, wanted, meta.ForRecovery, toRecover+min(s.serving, toComplete-2), removal)
		}
	}
	for _, n := range s.active {
		if n.drains {
			return v.replace(sh, n, stay, firm, wanted, meta.ForDrain, toDrain, retiral)
		}
	}
	switch {
	case len(stay) < wanted:
		return need{shard: sh, urgency: toComplete, stay: stay, step: step{do: addition, shard: sh.ID, why: meta.ForFactor}}
	case firm > wanted:
		return need{shard: sh, urgency: toReduce, step: step{do: retiral, shard: sh.ID, node: v.dispensable(s.active).id, why: meta.ForFactor}}
	}
	return need{}
}

// replace gives the way to be rid of an owner: by a copy elsewhere, or without
// one when the others are enough.
func (v *view) replace(sh *meta.Shard, old *nodeView, stay []*nodeView, firm, wanted int, why meta.Reason, urgency int, end deed) need {
	n := need{shard: sh, urgency: urgency, stay: stay}
	switch {
	case firm >= wanted:
		n.step = step{do: end, shard: sh.ID, node: old.id, why: why}
	case len(stay) < wanted:
		n.step = step{do: addition, shard: sh.ID, from: old.id, why: why}
	}
	return n // else one of those who stay has to come back first
}

// dispensable gives the owner that is missed least: of those that are alive the
// one with most others in its zone, then on the fullest node.
func (v *view) dispensable(active []*nodeView) *nodeView {
	alive := slices.DeleteFunc(slices.Clone(active), func(n *nodeView) bool { return !n.alive })
	return slices.MaxFunc(alive, func(a, b *nodeView) int {
		return cmp.Or(cmp.Compare(sameZone(a, alive), sameZone(b, alive)), cmp.Compare(a.load, b.load), cmp.Compare(a.id, b.id))
	})
}
