package fanout

import (
	"errors"
	"slices"

	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/model"
)

// ErrUnsent is the answer in place of an owner's that the batch was not sent
// to: it certainly does not have it from this write.
var ErrUnsent = errors.New("not sent")

// Verdict is what a Write has come to. It changes once, from Pending.
type Verdict uint8

// The verdicts.
const (
	Pending Verdict = iota
	Met             // the level is met
	Failed          // the level cannot be met any more
	Park            // level Any, and no owner could be sent the batch
)

// Send asks for the batch to be sent to an owner. It is to be answered once.
type Send struct {
	Node   uint64
	HeldBy uint64 // 0: first-hand; else an owner that holds the batch
	Keys   bool   // with the keys of all series
	Round  int    // how often the batch has been stamped before
}

// Effects is what is to be done now, in order of the fields.
type Effects struct {
	// Restamp asks for a new id and a new version before the sends.
	Restamp bool
	Sends   []Send
	// Refresh asks for the owners of the shard to be read anew and given to
	// Owners.
	Refresh bool
}

// maxRefreshes bounds how often one write follows owners that change.
const maxRefreshes = 3

// Write is one batch on its way to the owners of a shard. It is used by one
// goroutine at a time.
type Write struct {
	level  Level
	local  uint64
	again  bool // sent before: whoever is not asked may hold it
	round  int
	owners []Owner
	after  []uint64 // see Sets
	before []uint64
	// targets is the owners that are sent to, the local one last.
	targets []uint64
	states  map[uint64]*state // of all nodes that ever were owners here

	verdict    Verdict
	refreshes  int
	refreshing bool
}

// state is what is known of one owner in this round.
type state struct {
	phase  phase
	heldBy uint64 // of the last send
	keys   bool
	err    error // when it failed, or the reason why it lacks the batch
}

type phase uint8

const (
	unasked phase = iota
	sent          // an answer is to come
	holds         // it has the batch
	stale         // it does not, and takes it only as held by another
	moved         // it does not: it knows other owners
	refused       // it does not, and will not be asked again
	unsent        // it does not: it could not be sent it
	perhaps       // it failed and may have the batch
)

// New begins a write. local is the owner in this process, if it is one: it is
// sent to last, since the way to the others is longer.
func New(local uint64, owners []Owner, level Level) (*Write, Effects) {
	return begin(&Write{level: level, local: local}, owners)
}

// Again is New for a batch that an earlier Write has sent as it is stamped: an
// owner that is not asked now may hold it from then.
func Again(local uint64, owners []Owner, level Level) (*Write, Effects) {
	return begin(&Write{level: level, local: local, again: true}, owners)
}

func begin(w *Write, owners []Owner) (*Write, Effects) {
	w.states = make(map[uint64]*state)
	w.setOwners(owners)
	return w, w.step()
}

func (w *Write) setOwners(owners []Owner) {
	w.owners = slices.Clone(owners)
	w.after, w.before = Sets(owners)
	w.targets = slices.Concat(w.after, w.before)
	slices.Sort(w.targets)
	w.targets = slices.Compact(w.targets)
	if i := slices.Index(w.targets, w.local); i >= 0 {
		w.targets = append(slices.Delete(w.targets, i, i+1), w.local)
	}
	for _, n := range w.targets {
		if w.states[n] == nil {
			w.states[n] = &state{}
		}
	}
}

// Answer takes an owner's answer to a send: nil, an error of the kinds of
// package model, or ErrUnsent. One that comes late changes no verdict.
func (w *Write) Answer(s Send, err error) Effects {
	st := w.states[s.Node]
	if s.Round != w.round || st == nil || st.phase != sent {
		return Effects{}
	}
	if mutant.Is(mutant.LocalAlwaysCounts) && s.Node == w.local {
		err = nil
	}
	st.err = err
	switch {
	case err == nil:
		st.phase = holds
	case errors.Is(err, ErrUnsent):
		st.phase = unsent
	case errors.Is(err, model.ErrStale) && s.HeldBy == 0:
		st.phase = stale
	case errors.Is(err, model.ErrStale):
		st.phase = refused // below what can still come: its set holds all that is
	case errors.Is(err, model.ErrNeedKeys) && !s.Keys:
		st.phase, st.keys = unasked, true
	case errors.Is(err, model.ErrNeedKeys):
		st.phase = refused
	case errors.Is(err, model.ErrMoved):
		st.phase = moved
	default:
		st.phase = perhaps
	}
	return w.step()
}

// Owners takes the owners as the metadata has them now, the answer to Refresh.
// err says that it could not be read.
func (w *Write) Owners(owners []Owner, err error) Effects {
	w.refreshing = false
	if err == nil {
		w.setOwners(owners)
	}
	for n, st := range w.states {
		if st.phase != moved {
			continue
		}
		if st.phase = refused; err == nil && slices.Contains(w.targets, n) {
			st.phase = unasked
		}
	}
	return w.step()
}

// step sends what can be sent and settles the verdict when it can be known.
func (w *Write) step() Effects {
	if w.verdict == Failed || w.verdict == Park {
		return Effects{}
	}
	var e Effects
	if w.verdict == Pending && w.mayRestamp() {
		w.round++
		w.again = false
		e.Restamp = true
		for _, st := range w.states {
			*st = state{keys: st.keys}
		}
	}
	e.Sends = w.sends()
	e.Refresh = w.refresh()
	if w.verdict == Pending {
		w.verdict = w.judge()
	}
	return e
}

// sends gives the sends that are due: to those not asked yet, and to those that
// found the batch stale once another holds it.
func (w *Write) sends() []Send {
	holder := w.holder()
	var out []Send
	for _, n := range w.targets {
		st := w.states[n]
		switch {
		case st.phase == unasked:
		case st.phase == stale && holder != 0:
			st.heldBy = holder
		default:
			continue
		}
		st.phase = sent
		out = append(out, Send{Node: n, HeldBy: st.heldBy, Keys: st.keys, Round: w.round})
	}
	return out
}

// holder gives an owner that has the batch, or 0. One that has left meanwhile
// is none: owners do not take what comes from it.
func (w *Write) holder() uint64 {
	for _, n := range w.targets {
		if w.states[n].phase == holds {
			return n
		}
	}
	return 0
}

// refresh reports whether the owners are to be read anew; those who said so
// are refused when that was done often enough.
func (w *Write) refresh() bool {
	if w.refreshing || w.verdict != Pending {
		return false
	}
	for _, n := range w.targets {
		if w.states[n].phase != moved {
			continue
		}
		if w.refreshes < maxRefreshes {
			w.refreshes++
			w.refreshing = true
			return true
		}
		w.states[n].phase = refused
	}
	return false
}

// mayRestamp reports whether the batch is too old for those it was sent to and
// certainly nobody has it: then it may come with another id.
func (w *Write) mayRestamp() bool {
	if w.round > 0 || w.refreshing {
		return false
	}
	tooOld := false
	for _, st := range w.states {
		switch st.phase {
		case stale:
			tooOld = true
		case refused:
		case unsent:
			if w.again {
				return false
			}
		case sent:
			if !mutant.Is(mutant.RestampedTooSoon) {
				return false
			}
		default:
			return false
		}
	}
	return tooOld
}

// judge tells whether the level is met, or cannot be met any more.
func (w *Write) judge() Verdict {
	if w.met(func(p phase) bool { return p == holds }) {
		return Met
	}
	if w.refreshing {
		return Pending
	}
	// A stale owner takes the batch once one that is still to answer has it.
	coming := w.holder() != 0
	reached := false
	for _, st := range w.states {
		coming = coming || st.phase == sent
		reached = reached || st.phase != unsent
	}
	if w.met(func(p phase) bool { return p == holds || p == sent || p == stale && coming }) {
		return Pending
	}
	if w.level == Any && !reached {
		return Park
	}
	return Failed
}

// met reports whether enough owners are in a phase that counts, both after and
// before the moves under way.
func (w *Write) met(counts func(phase) bool) bool {
	for _, set := range [][]uint64{w.after, w.before} {
		if w.count(set, counts) < Needs(w.level, w.owners, set) {
			return false
		}
	}
	return true
}

func (w *Write) count(set []uint64, counts func(phase) bool) int {
	n := 0
	for _, node := range set {
		if counts(w.states[node].phase) {
			n++
		}
	}
	return n
}

// Verdict gives what the write has come to.
func (w *Write) Verdict() Verdict { return w.verdict }

// Progress gives how many owners have the batch and how many must, in the set
// that lacks more.
func (w *Write) Progress() (acked, needed int) {
	for i, set := range [][]uint64{w.after, w.before} {
		has := w.count(set, func(p phase) bool { return p == holds })
		needs := Needs(w.level, w.owners, set)
		if i == 0 || needs-has > needed-acked {
			acked, needed = has, needs
		}
	}
	return acked, needed
}

// Missing is an owner that does not have the batch, as far as is known, and
// why; a nil Err is one that has not answered.
type Missing struct {
	Node uint64
	Err  error
}

// Missing gives the owners that count and have not said that they have the
// batch, by node.
func (w *Write) Missing() []Missing {
	var out []Missing
	for _, n := range w.targets {
		if st := w.states[n]; st.phase != holds {
			out = append(out, Missing{Node: n, Err: st.err})
		}
	}
	slices.SortFunc(out, func(a, b Missing) int {
		if a.Node < b.Node {
			return -1
		}
		return 1
	})
	return out
}
