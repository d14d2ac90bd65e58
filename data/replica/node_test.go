package replica

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

func TestReplicaThatHasMetNobodyIsNotInSync(t *testing.T) {
	w := newWorld(t, Active, Active, Active)
	if missing, ok := w.nodes[1].InSync(w.time(), 1); ok || !slices.Equal(missing, []uint64{2, 3}) {
		t.Errorf("before any message InSync gave %v, %v", missing, ok)
	}
	w.pass(time.Second)
	for id := range w.nodes {
		if !w.inSync(id) {
			t.Errorf("node %d is not in sync after a second", id)
		}
	}
}

func TestOneWayCutIsNoticedByBothSides(t *testing.T) {
	w := newWorld(t, Active, Active)
	w.pass(2 * time.Second)
	w.cut[[2]uint64{1, 2}] = true // 2 hears nothing; 1 hears 2, but no answers
	w.pass(4 * time.Second)
	if w.inSync(1) || w.inSync(2) {
		t.Errorf("in sync: 1 %v, 2 %v; want neither", w.inSync(1), w.inSync(2))
	}
}

func TestMissedBatchIsPulled(t *testing.T) {
	w := newWorld(t, Active, Active, Active)
	w.pass(2 * time.Second)
	w.write(w.version(), 1, 2, 3)
	w.write(w.version(), 1, 2) // 3 misses it
	w.pass(800 * time.Millisecond)
	if p := w.nodes[3].Pulls(w.time()); len(p) != 0 {
		t.Errorf("a batch that may be on its way is pulled: %v", p)
	}
	w.pass(time.Second)
	if w.inSync(3) || !w.inSync(1) || !w.inSync(2) {
		t.Errorf("in sync: %v %v %v, want all but 3", w.inSync(1), w.inSync(2), w.inSync(3))
	}
	if n := w.pull(3); n != 1 {
		t.Errorf("%d batches were pulled, want 1", n)
	}
	if !w.inSync(3) {
		t.Error("not in sync after the pull")
	}
}

func TestPullThatFailsIsTriedElsewhere(t *testing.T) {
	w := newWorld(t, Active, Active, Active)
	w.pass(2 * time.Second)
	w.write(w.version(), 1) // so that 1 has more
	w.write(w.version(), 1, 2)
	w.pass(2 * time.Second)
	for i, want := range []uint64{1, 2, 1, 2} {
		pulls := w.nodes[3].Pulls(w.time())
		if len(pulls) != 1 || pulls[0].From != want {
			t.Fatalf("try %d pulls %v, want one from %d", i, pulls, want)
		}
		w.nodes[3].PullDone(w.time(), pulls[0], nil, model.ErrUnavailable)
		w.pass(time.Second)
	}
}

func TestWhatAFailedSyncLeftIsPulledOnceTheReplicaIsOpenedAgain(t *testing.T) {
	w := newWorld(t, Active, Active)
	w.pass(2 * time.Second)
	v := w.version()
	w.write(v, 2)
	if verdict, err := w.nodes[1].Admit(w.time(), 1, 1, v, FirstHand); verdict != Take || err != nil {
		t.Fatalf("Admit gave %v, %v", verdict, err)
	}
	w.nodes[1].Unsure(1, v)
	w.pass(3 * time.Second)
	if n := w.pull(1); n != 0 {
		t.Error("what may be here is pulled")
	}
	w.nodes[1].Opened(1, &model.BatchSet{}, nil)
	if n := w.pull(1); n != 1 {
		t.Errorf("%d batches were pulled, want 1", n)
	}
}

func TestFrontierTrailsTheClockAndStopsForOneThatIsAway(t *testing.T) {
	w := newWorld(t, Active, Active)
	w.pass(5 * time.Second)
	lag := w.time().HLC.Time().Sub(w.nodes[1].Frontier(w.time(), 1).Time())
	if lag > 2*time.Second {
		t.Errorf("the frontier trails by %v", lag)
	}
	at := w.nodes[1].Frontier(w.time(), 1)
	w.cut[[2]uint64{2, 1}] = true
	w.pass(time.Minute)
	if now := w.nodes[1].Frontier(w.time(), 1); now != at {
		t.Errorf("the frontier went from %v to %v while an owner was away", at.Time(), now.Time())
	}
}

func TestFrontierWaitsForWhatIsNotDurable(t *testing.T) {
	w := newWorld(t, Active, Active)
	w.pass(2 * time.Second)
	v := w.version()
	if verdict, err := w.nodes[2].Admit(w.time(), 1, 1, v, FirstHand); verdict != Take || err != nil {
		t.Fatalf("Admit gave %v, %v", verdict, err)
	}
	if verdict, err := w.nodes[2].Admit(w.time(), 1, 1, v, FirstHand); verdict != Take || err != nil {
		t.Errorf("the same batch again: Admit gave %v, %v, want Take", verdict, err)
	}
	w.pass(10 * time.Second)
	for id, n := range w.nodes {
		if f := n.Frontier(w.time(), 1); f > v.HLC {
			t.Errorf("node %d: the frontier passed a batch that is not durable", id)
		}
	}
	w.nodes[2].Durable(1, v)
	w.pass(2 * time.Second)
	if f := w.nodes[1].Frontier(w.time(), 1); f > v.HLC {
		t.Error("the frontier passed a batch that is not here")
	}
	w.pull(1)
	w.pass(2 * time.Second)
	if f := w.nodes[1].Frontier(w.time(), 1); f <= v.HLC {
		t.Error("the frontier stays below a batch that all have")
	}
}

func TestFence(t *testing.T) {
	w := newWorld(t, Active)
	fence := DefaultConfig().Fence
	for _, c := range []struct {
		name string
		off  time.Duration
		kind error
	}{
		{"old", -fence - time.Millisecond, model.ErrStale},
		{"as old as may be", -fence, nil},
		{"now", 0, nil},
		{"as new as may be", fence, nil},
		{"ahead", fence + time.Millisecond, model.ErrUnavailable},
	} {
		w.pass(time.Second)
		v := w.version()
		v.HLC = model.NewHLC(began.Add(w.now + c.off))
		verdict, err := w.nodes[1].Admit(w.time(), 1, 1, v, FirstHand)
		if !errors.Is(err, c.kind) || (err == nil) != (verdict == Take) {
			t.Errorf("%s: Admit gave %v, %v, want %v", c.name, verdict, err, c.kind)
		}
	}
}

func TestNothingBelowThePromiseIsTaken(t *testing.T) {
	cfg := DefaultConfig()
	w := newWorld(t, Active)
	cfg.Found = ahead(w.time().HLC, 300*time.Millisecond)
	n, err := New(Self{1, 2}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.SetOwners(1, 1, []Owner{{1, Active}})
	n.Opened(1, &model.BatchSet{}, nil)
	now := w.time()
	now.HLC = cfg.Found + 1
	if _, err := n.Admit(now, 1, 1, w.version(), FirstHand); !errors.Is(err, model.ErrStale) {
		t.Errorf("Admit gave %v, want ErrStale", err)
	}
}

func TestAdmitChecksOwnersAndStates(t *testing.T) {
	w := newWorld(t, Active, Joining, Rebuild, Leaving)
	v := w.version()
	for _, c := range []struct {
		name     string
		node     uint64
		revision uint64
		hand     Hand
		kind     error
	}{
		{"active", 1, 1, FirstHand, nil},
		{"another revision", 1, 2, FirstHand, model.ErrMoved},
		{"joining", 2, 1, FirstHand, model.ErrUnavailable},
		{"joining, pulled", 2, 1, Hand{1}, nil},
		{"pulled from a rebuild", 2, 1, Hand{3}, model.ErrMoved},
		{"pulled from no owner", 2, 1, Hand{7}, model.ErrMoved},
		{"rebuild", 3, 1, FirstHand, model.ErrUnavailable},
		{"leaving", 4, 1, FirstHand, nil},
	} {
		verdict, err := w.nodes[c.node].Admit(w.time(), 1, c.revision, v, c.hand)
		if !errors.Is(err, c.kind) || (err == nil) != (verdict == Take) {
			t.Errorf("%s: Admit gave %v, %v, want %v", c.name, verdict, err, c.kind)
		}
		w.nodes[c.node].Abort(1, v)
	}
	if _, err := w.nodes[1].Admit(w.time(), 2, 1, v, FirstHand); !errors.Is(err, model.ErrMoved) {
		t.Errorf("unknown shard: Admit gave %v, want ErrMoved", err)
	}
}

func TestOwnerThatIsAwayIsExcusedOnlyInTheRunItWasMet(t *testing.T) {
	w := newWorld(t, Active, Active)
	w.pass(2 * time.Second)
	w.cut[[2]uint64{2, 1}] = true
	w.pass(5 * time.Second)
	if w.inSync(1) {
		t.Error("in sync with a node that has a lease and was not met")
	}
	w.alive(2)
	if !w.inSync(1) {
		t.Error("an owner without a lease is not excused")
	}
	w.nodes[1].SetNodes(false, nil)
	if w.inSync(1) {
		t.Error("an owner is excused though the metadata is away")
	}
	w.nodes[1].SetNodes(true, map[uint64]NodeInfo{2: {Start: 2}})
	if w.inSync(1) {
		t.Error("an owner is excused that has started again since")
	}
}

func TestExcusesSurviveARestart(t *testing.T) {
	w := newWorld(t, Active, Active)
	w.pass(2 * time.Second)
	kept, _ := w.nodes[1].Excuses()
	w.cut[[2]uint64{2, 1}] = true
	n := w.start(1, 2)
	w.owners(1, Active, Active)
	n.SetExcuses(1, kept[1])
	w.alive(2)
	if w.inSync(1) {
		t.Error("in sync before it was opened")
	}
	n.Opened(1, &model.BatchSet{}, nil)
	if !w.inSync(1) {
		t.Error("the excuse was lost")
	}
}

func TestWhatIsKnownToBeMissingIsNotExcused(t *testing.T) {
	w := newWorld(t, Active, Active)
	w.pass(2 * time.Second)
	w.write(w.version(), 2)
	w.pass(2 * time.Second)
	w.cut[[2]uint64{2, 1}] = true
	w.alive(2)
	w.pass(10 * time.Second)
	if w.inSync(1) {
		t.Error("an owner is excused that has a batch which is missing here")
	}
	if kept, _ := w.nodes[1].Excuses(); kept[1][2] != 0 {
		t.Error("the excuse would be back after a restart")
	}
}

func TestRestartedOwnerIsHeardAnew(t *testing.T) {
	w := newWorld(t, Active, Active)
	v := w.version()
	w.write(v, 1, 2)
	w.pass(3 * time.Second)
	set := &model.BatchSet{}
	set.Add(v.ID)
	if !w.nodes[1].Known(1, set) {
		t.Fatal("a batch that all have is not known")
	}
	n := w.start(2, 2)
	w.owners(1, Active, Active)
	w.alive()
	w.pass(time.Second)
	if w.inSync(1) {
		t.Error("in sync with an owner that has said nothing since its restart")
	}
	n.Opened(1, set, []model.Version{v})
	w.pass(time.Second)
	if !w.inSync(1) || !w.inSync(2) {
		t.Errorf("after the restart in sync: %v, %v", w.inSync(1), w.inSync(2))
	}
}

func TestMessageForAnEarlierRunStatesNothing(t *testing.T) {
	w := newWorld(t, Active, Active)
	w.pass(2 * time.Second)
	old := w.version()
	w.write(old, 1, 2)
	// A message with a statement is on its way for long.
	w.now += 2 * time.Second
	delayed := w.nodes[1].Tell(w.time(), 2)
	if len(delayed.Statements) != 1 {
		t.Fatalf("the message has %d statements, want 1", len(delayed.Statements))
	}
	// Meanwhile 1 takes another batch, which 2 hears of and then forgets.
	missed := w.version()
	w.write(missed, 1)
	w.pass(3 * time.Second)
	set := &model.BatchSet{}
	set.Add(old.ID)
	w.start(2, 2)
	w.owners(1, Active, Active)
	w.alive()
	w.nodes[2].Opened(1, set, []model.Version{old})
	w.nodes[2].Receive(w.time(), delayed)
	w.now += 200 * time.Millisecond
	w.deliver(w.nodes[1], w.nodes[2]) // it does not know yet that 2 has started again
	if f := w.nodes[2].Frontier(w.time(), 1); f > missed.HLC {
		t.Errorf("the frontier is %v, above a batch that is missing", f.Time())
	}
}

func TestLogIsKeptUntilEveryOwnerHasIt(t *testing.T) {
	w := newWorld(t, Active, Active, Active)
	v := w.version()
	set := &model.BatchSet{}
	set.Add(v.ID)
	w.write(v, 1, 2)
	w.pass(3 * time.Second)
	if w.nodes[1].Known(1, set) {
		t.Error("known though an owner lacks it")
	}
	w.owners(2, Active, Active, Rebuild)
	if !w.nodes[1].Known(1, set) {
		t.Error("an owner that is to be rebuilt keeps the log")
	}
	w.owners(3, Active, Active, Joining)
	w.pass(time.Second)
	if w.nodes[1].Known(1, set) {
		t.Error("known though a joining owner lacks it")
	}
}

func TestBatchThatIsInNoLogIsLost(t *testing.T) {
	w := newWorld(t, Active, Active, Active)
	w.pass(2 * time.Second)
	v := w.version()
	w.write(v, 1, 2)
	w.pass(3 * time.Second)
	set := &model.BatchSet{}
	set.Add(v.ID)
	for range 2 {
		p := w.nodes[3].Pulls(w.time())
		if len(p) != 1 || w.nodes[3].Lost(1) {
			t.Fatalf("Pulls gave %v, Lost %v", p, w.nodes[3].Lost(1))
		}
		w.nodes[3].PullDone(w.time(), p[0], set, nil)
	}
	if !w.nodes[3].Doubtful(1) || w.nodes[3].Lost(1) {
		t.Error("others have not had the time to say that they have it")
	}
	w.pass(5 * time.Second)
	if !w.nodes[3].Lost(1) {
		t.Error("trimmed everywhere, and not lost")
	}
}

func TestReplicaThatIsGivenUpAcknowledgesNothing(t *testing.T) {
	for _, state := range []State{Rebuild, ""} {
		w := newWorld(t, Active, Active)
		w.pass(2 * time.Second)
		before, after := w.version(), w.version()
		for _, v := range []model.Version{before, after} {
			if verdict, err := w.nodes[1].Admit(w.time(), 1, 1, v, FirstHand); verdict != Take || err != nil {
				t.Fatalf("Admit gave %v, %v", verdict, err)
			}
		}
		if !w.nodes[1].Durable(1, before) {
			t.Error("a batch of an active replica does not count")
		}
		w.owners(2, state, Active)
		if w.nodes[1].Durable(1, after) {
			t.Errorf("a batch counts that became durable after its owner was %q", state)
		}
	}
}

func TestMoveOfAReplica(t *testing.T) {
	w := newWorld(t, Active, Active, "")
	w.pass(2 * time.Second)
	w.write(w.version(), 1, 2)
	w.owners(2, Active, Active, Joining)
	if w.nodes[3].CaughtUp(w.time(), 1) {
		t.Error("caught up with nothing")
	}
	w.nodes[3].Opened(1, &model.BatchSet{}, nil)
	w.pass(2 * time.Second)
	if w.nodes[3].CaughtUp(w.time(), 1) {
		t.Error("caught up without a batch")
	}
	w.pull(3)
	w.pass(time.Second)
	if !w.nodes[3].CaughtUp(w.time(), 1) || w.inSync(3) {
		t.Errorf("joiner: caught up %v, in sync %v; want only the first", w.nodes[3].CaughtUp(w.time(), 1), w.inSync(3))
	}
	w.write(w.version(), 1) // and nobody else
	w.owners(3, Leaving, Active, Active)
	w.pass(2 * time.Second)
	if w.nodes[1].Drained(w.time(), 1) {
		t.Error("drained while it has a batch that nobody has")
	}
	w.pull(2)
	w.pull(3)
	w.pass(2 * time.Second)
	if !w.nodes[1].Drained(w.time(), 1) {
		t.Error("not drained")
	}
	if !w.inSync(3) {
		t.Error("the new owner does not serve")
	}
}

func TestLeaverWaitsForWhatItAdmittedBeforeItKnew(t *testing.T) {
	w := newWorld(t, Active, Active)
	w.pass(2 * time.Second)
	v := w.version()
	if verdict, err := w.nodes[1].Admit(w.time(), 1, 1, v, FirstHand); verdict != Take || err != nil {
		t.Fatalf("Admit gave %v, %v", verdict, err)
	}
	w.owners(2, Leaving, Active)
	w.pass(3 * time.Second)
	if w.nodes[1].Drained(w.time(), 1) {
		t.Error("drained though a batch is not durable yet, which was sent to the owners of before")
	}
	w.nodes[1].Durable(1, v)
	if w.nodes[1].Drained(w.time(), 1) {
		t.Error("drained though nobody else has a batch that was sent to the owners of before")
	}
	w.pass(3 * time.Second)
	w.pull(2)
	w.pass(time.Second)
	if !w.nodes[1].Drained(w.time(), 1) {
		t.Error("not drained though the other has all")
	}
}

func TestLeaverGoesUnderWrites(t *testing.T) {
	w := newWorld(t, Active, Active, Active)
	w.pass(2 * time.Second)
	w.write(w.version(), 1)
	w.owners(2, Leaving, Active, Active)
	// Messages to the two others at different times, and writes all the while.
	for i := range 300 {
		w.now += 20 * time.Millisecond
		w.write(w.version(), 1, 2, 3)
		switch i % 10 {
		case 0:
			w.send(w.nodes[1], w.nodes[2], w.deliver(w.nodes[1], w.nodes[2]))
		case 5:
			w.send(w.nodes[1], w.nodes[3], w.deliver(w.nodes[1], w.nodes[3]))
		}
		drained := w.nodes[1].Drained(w.time(), 1)
		if i == 150 {
			w.pull(2)
			w.pull(3)
		}
		switch {
		case drained && i <= 150:
			t.Fatal("drained though nobody else has a batch of before")
		case drained:
			return
		}
	}
	t.Error("never drained, though the others have all")
}

func TestShardAtRestIsNotMentioned(t *testing.T) {
	w := newWorld(t, Active, Active)
	w.write(w.version(), 1, 2)
	w.pass(4 * time.Second)
	if m := w.nodes[1].Tell(w.time(), 2); len(m.Statements) != 0 {
		t.Errorf("a message at rest has %d statements", len(m.Statements))
	}
	w.write(w.version(), 1, 2)
	w.now += 2 * time.Second
	for range 3 { // lost ones do no harm
		if m := w.nodes[1].Tell(w.time(), 2); len(m.Statements) != 1 {
			t.Errorf("a message after a change has %d statements", len(m.Statements))
		}
	}
}

func TestShardsThatAreNotOpenKeepNoOtherFromBeingStated(t *testing.T) {
	w := newWorld(t, Active, Active)
	owners := []Owner{{1, Active}, {2, Joining}}
	last := uint64(2 * maxFirstStatements)
	for id := uint64(2); id <= last; id++ {
		for _, n := range w.nodes {
			n.SetOwners(id, 1, owners)
		}
	}
	w.nodes[1].Opened(last, &model.BatchSet{}, nil)
	m := w.nodes[1].Tell(w.time(), 2)
	if n := len(m.Statements); n != 2 || m.Statements[1].Shard != last {
		t.Errorf("%d shards are stated, want the 2 that are open", n)
	}
}

func TestNodeWithAWrongClockTakesNothing(t *testing.T) {
	w := newWorld(t, Active, Active, Active)
	w.pass(time.Second)
	off := w.nodes[1]
	skewed := func() Time {
		now := w.time()
		now.HLC = ahead(now.HLC, 2*time.Second)
		return now
	}
	for range 3 {
		w.now += 200 * time.Millisecond
		for id := uint64(2); id <= 3; id++ {
			w.nodes[id].Receive(w.time(), off.Tell(skewed(), id))
			off.Receive(skewed(), w.nodes[id].Tell(w.time(), 1))
		}
	}
	if err := off.ClockOff(skewed()); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("ClockOff gave %v, want ErrUnavailable", err)
	}
	if err := w.nodes[2].ClockOff(w.time()); err != nil {
		t.Errorf("a node with a right clock gave %v", err)
	}
}
