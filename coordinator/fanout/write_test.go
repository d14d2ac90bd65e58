package fanout

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

// chooser picks one of n ways to go on.
type chooser func(n int) int

// cases gives the owners of a shard, and what they may become meanwhile.
var cases = []struct {
	owners, later []Owner
}{
	{owners: owners("1a")},
	{owners: owners("1a 2a")},
	{owners: owners("1a 2j")},
	{owners: owners("1a 2l")},
	{owners: owners("1l 2a1"), later: owners("2a")},
	{owners: owners("1a 2a"), later: owners("1a 3a")},
	{owners: owners("1a 2a 3a")},
	{owners: owners("1a 2a 3j"), later: owners("1a 2l 3a2")},
	{owners: owners("1a 2l 3a2")},
	{owners: owners("1a 2r 3a")},
	{owners: owners("1a 2a 3l 4a3")},
}

// owners reads a list of nodes with the first letters of their states and the
// nodes that they replace.
func owners(text string) []Owner {
	states := map[byte]State{'a': Active, 'j': Joining, 'l': Leaving, 'r': "rebuild"}
	var out []Owner
	for len(text) > 0 {
		o := Owner{Node: uint64(text[0] - '0'), State: states[text[1]]}
		text = text[2:]
		if len(text) > 0 && text[0] != ' ' {
			o.Replaces = uint64(text[0] - '0')
			text = text[1:]
		}
		if len(text) > 0 {
			text = text[1:]
		}
		out = append(out, o)
	}
	return out
}

// answers is what an owner may do with a batch.
var answers = []struct {
	name  string
	err   error
	holds bool
}{
	{"ok", nil, true},
	{"stale", model.ErrStale, false},
	{"unheard", errors.New("no answer"), true},
	{"unsent", ErrUnsent, false},
	{"lost", errors.New("no answer"), false},
	{"moved", model.ErrMoved, false},
	{"keys", model.ErrNeedKeys, false},
}

// run carries out one write on owners that answer as choose says, in any order,
// and gives what the write did wrong.
func run(now, later []Owner, level Level, local uint64, kinds int, choose chooser) error {
	truth := make(map[uint64]bool) // who holds the batch, by its present id
	var pending []Send
	var path []string
	wrong := func(format string, a ...any) error {
		return fmt.Errorf("level %d of %v, local %d, %v: %s", level, now, local, path, fmt.Sprintf(format, a...))
	}
	refresh := false
	w, e := New(local, now, level)
	verdict := Pending
	take := func(e Effects) error {
		if e.Restamp {
			if len(pending) > 0 {
				return wrong("stamped anew with %d answers to come", len(pending))
			}
			for n, held := range truth {
				if held {
					return wrong("stamped anew though owner %d holds it", n)
				}
			}
		}
		for _, s := range e.Sends {
			i := slices.IndexFunc(now, func(o Owner) bool { return o.Node == s.Node })
			if i < 0 || now[i].State != Active && now[i].State != Leaving {
				return wrong("sent to %d, which is no owner that counts", s.Node)
			}
			if s.HeldBy != 0 && (!truth[s.HeldBy] || s.HeldBy == s.Node) {
				return wrong("sent to %d as held by %d, which does not hold it", s.Node, s.HeldBy)
			}
			pending = append(pending, s)
		}
		refresh = refresh || e.Refresh
		if verdict != Pending && w.Verdict() != verdict {
			return wrong("verdict %d became %d", verdict, w.Verdict())
		}
		if verdict == Pending && w.Verdict() == Met {
			if err := enough(now, level, truth); err != nil {
				return wrong("%v", err)
			}
		}
		verdict = w.Verdict()
		if verdict == Park && (level != Any || len(pending) > 0 || slices.Contains(slices.Collect(maps.Values(truth)), true)) {
			return wrong("parked at level %d, with %d answers to come, held by %v", level, len(pending), truth)
		}
		return nil
	}
	if err := take(e); err != nil {
		return err
	}
	for steps := 0; len(pending) > 0 || refresh; steps++ {
		if steps > 200 {
			return wrong("does not end")
		}
		n := len(pending)
		if refresh {
			n++
		}
		i := choose(n)
		if i == len(pending) {
			refresh = false
			if choose(2) == 0 {
				path = append(path, "no metadata")
				e = w.Owners(nil, model.ErrUnavailable)
			} else {
				if later != nil && choose(2) == 0 {
					now = later
				}
				path = append(path, fmt.Sprintf("owners %v", now))
				e = w.Owners(now, nil)
			}
		} else {
			s := pending[i]
			pending = slices.Delete(pending, i, i+1)
			a := answers[choose(kinds)]
			for truth[s.Node] && !a.holds || errors.Is(a.err, model.ErrNeedKeys) && s.Keys {
				a = answers[0]
			}
			path = append(path, fmt.Sprintf("%d %s", s.Node, a.name))
			truth[s.Node] = truth[s.Node] || a.holds
			e = w.Answer(s, a.err)
		}
		if err := take(e); err != nil {
			return err
		}
	}
	if verdict == Pending {
		return wrong("all have answered and there is no verdict")
	}
	return nil
}

// enough says which set of owners has the batch too rarely. It counts by
// itself, so that it sees what Level.Needs gets wrong.
func enough(all []Owner, level Level, truth map[uint64]bool) error {
	for _, old := range []bool{false, true} {
		n, has := 0, 0
		for _, o := range all {
			replaces := slices.ContainsFunc(all, func(l Owner) bool { return l.State == Leaving && l.Node == o.Replaces })
			if o.State == Active && (!old || !replaces) || old && o.State == Leaving {
				n++
				if truth[o.Node] {
					has++
				}
			}
		}
		if has == 0 || level == All && has < n || level == Quorum && 2*has <= n {
			return fmt.Errorf("acknowledged with %d of %d (before the move: %v)", has, n, old)
		}
	}
	return nil
}

// everyWay runs f with every sequence of choices, up to a number of them.
func everyWay(limit int, f func(chooser) error) error {
	var path, sizes []int
	for range limit {
		at := 0
		err := f(func(n int) int {
			if at == len(path) {
				path, sizes = append(path, 0), append(sizes, n)
			}
			at++
			return path[at-1]
		})
		if err != nil {
			return err
		}
		for len(path) > 0 && path[len(path)-1] == sizes[len(path)-1]-1 {
			path, sizes = path[:len(path)-1], sizes[:len(sizes)-1]
		}
		if len(path) == 0 {
			return nil
		}
		path[len(path)-1]++
	}
	return errors.New("too many ways")
}

// exhaust tries all orders of all answers for few owners.
func exhaust() error {
	for _, c := range cases {
		if len(c.owners) > 2 {
			continue // sample tries those: these would be millions
		}
		kinds := []int{0, len(answers), 5}[len(c.owners)]
		for _, level := range []Level{Any, One, Quorum, All} {
			for _, local := range []uint64{1} {
				err := everyWay(500_000, func(choose chooser) error { return run(c.owners, c.later, level, local, kinds, choose) })
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sample tries some orders of all answers for all cases.
func sample(rnd *rand.Rand, n int) error {
	for range n {
		c := cases[rnd.IntN(len(cases))]
		level := []Level{Any, One, Quorum, All}[rnd.IntN(4)]
		if err := run(c.owners, c.later, level, uint64(rnd.IntN(3)), len(answers), rnd.IntN); err != nil {
			return err
		}
	}
	return nil
}

func TestEveryOrderOfAnswersKeepsThePromises(t *testing.T) {
	if err := exhaust(); err != nil {
		t.Error(err)
	}
}

func TestRandomAnswersKeepThePromises(t *testing.T) {
	if err := sample(seeded.Rand(t), 50_000); err != nil {
		t.Error(err)
	}
}

// answer gives an answer to the only send to a node.
func answer(t *testing.T, w *Write, e *Effects, node uint64, err error) {
	t.Helper()
	i := slices.IndexFunc(e.Sends, func(s Send) bool { return s.Node == node })
	if i < 0 {
		t.Fatalf("nothing was sent to %d: %+v", node, e)
	}
	s := e.Sends[i]
	next := w.Answer(s, err)
	e.Sends = append(slices.Delete(e.Sends, i, i+1), next.Sends...)
	e.Restamp, e.Refresh = next.Restamp, next.Refresh
}

func TestAStaleOwnerTakesWhatAnotherHolds(t *testing.T) {
	w, e := New(1, owners("1a 2a"), All)
	answer(t, w, &e, 2, model.ErrStale)
	if len(e.Sends) != 1 || w.Verdict() != Pending {
		t.Fatalf("after stale of one: %+v, verdict %d", e, w.Verdict())
	}
	answer(t, w, &e, 1, nil)
	if len(e.Sends) != 1 || e.Sends[0] != (Send{Node: 2, HeldBy: 1}) {
		t.Fatalf("after the answer of the other: %+v", e)
	}
	answer(t, w, &e, 2, nil)
	if w.Verdict() != Met {
		t.Errorf("verdict %d, want %d", w.Verdict(), Met)
	}
}

func TestABatchThatAllFindStaleIsStampedAnewOnce(t *testing.T) {
	w, e := New(1, owners("1a 2a"), One)
	answer(t, w, &e, 1, model.ErrStale)
	if e.Restamp {
		t.Fatal("stamped anew before the other has answered")
	}
	answer(t, w, &e, 2, model.ErrStale)
	if !e.Restamp || len(e.Sends) != 2 || e.Sends[0].Round != 1 {
		t.Fatalf("after stale of all: %+v", e)
	}
	answer(t, w, &e, 1, model.ErrStale)
	answer(t, w, &e, 2, model.ErrStale)
	if e.Restamp || w.Verdict() != Failed {
		t.Errorf("after stale of all again: %+v, verdict %d", e, w.Verdict())
	}
}

func TestABatchThatWasSentBeforeMayBeHeldByWhoIsNotAsked(t *testing.T) {
	w, e := Again(1, owners("1a 2a"), One)
	answer(t, w, &e, 1, model.ErrStale)
	answer(t, w, &e, 2, ErrUnsent)
	if e.Restamp || w.Verdict() != Failed {
		t.Errorf("one stale, one not asked: %+v, verdict %d", e, w.Verdict())
	}
	w, e = Again(1, owners("1a 2a"), One)
	answer(t, w, &e, 1, model.ErrStale)
	answer(t, w, &e, 2, model.ErrStale)
	if !e.Restamp || w.Verdict() != Pending {
		t.Errorf("stale of all: %+v, verdict %d", e, w.Verdict())
	}
}

func TestAnOwnerThatLacksKeysGetsAll(t *testing.T) {
	w, e := New(1, owners("1a"), One)
	answer(t, w, &e, 1, model.ErrNeedKeys)
	if len(e.Sends) != 1 || !e.Sends[0].Keys {
		t.Fatalf("after need keys: %+v", e)
	}
	answer(t, w, &e, 1, nil)
	if w.Verdict() != Met {
		t.Errorf("verdict %d, want %d", w.Verdict(), Met)
	}
}

func TestOwnersThatMovedAreFoundAFewTimes(t *testing.T) {
	w, e := New(1, owners("1a 2a"), Quorum)
	answer(t, w, &e, 1, nil)
	answer(t, w, &e, 2, model.ErrMoved)
	if !e.Refresh {
		t.Fatalf("after moved: %+v", e)
	}
	e = w.Owners(owners("1a 3a"), nil)
	if len(e.Sends) != 1 || e.Sends[0].Node != 3 {
		t.Fatalf("with new owners: %+v", e)
	}
	for range maxRefreshes - 1 {
		answer(t, w, &e, 3, model.ErrMoved)
		if !e.Refresh {
			t.Fatalf("after moved again: %+v", e)
		}
		e = w.Owners(owners("1a 3a"), nil)
	}
	answer(t, w, &e, 3, model.ErrMoved)
	if e.Refresh || w.Verdict() != Failed {
		t.Errorf("moved for ever: %+v, verdict %d", e, w.Verdict())
	}
}

func TestAnyIsParkedOnlyWhenNoOwnerWasSentIt(t *testing.T) {
	w, e := New(1, owners("1a 2a"), Any)
	answer(t, w, &e, 1, ErrUnsent)
	answer(t, w, &e, 2, ErrUnsent)
	if w.Verdict() != Park {
		t.Errorf("nothing sent: verdict %d, want %d", w.Verdict(), Park)
	}
	w, e = New(1, owners("1a 2a"), Any)
	answer(t, w, &e, 1, ErrUnsent)
	answer(t, w, &e, 2, errors.New("connection lost"))
	if w.Verdict() != Failed {
		t.Errorf("an owner may hold it: verdict %d, want %d", w.Verdict(), Failed)
	}
	if w, _ = New(1, owners("1j"), Any); w.Verdict() != Park {
		t.Errorf("no owner counts: verdict %d, want %d", w.Verdict(), Park)
	}
}

func TestFailureNamesWhoIsMissing(t *testing.T) {
	gone := errors.New("gone")
	w, e := New(1, owners("1a 2a 3a"), Quorum)
	answer(t, w, &e, 2, nil)
	answer(t, w, &e, 3, gone)
	acked, needed := w.Progress()
	missing := w.Missing()
	if acked != 1 || needed != 2 || len(missing) != 2 || missing[0] != (Missing{Node: 1}) || missing[1] != (Missing{Node: 3, Err: gone}) {
		t.Errorf("acked %d of %d, missing %v", acked, needed, missing)
	}
}
