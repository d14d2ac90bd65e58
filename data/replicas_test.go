package data

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

func TestReplicasOfAQuietClusterAreInSync(t *testing.T) {
	inBubble(t, 3, 3, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		for i := range 20 {
			if got := b.members[i%3].write(shard, b.members[0].point("a", int64(i), float64(i))); got != 3 {
				t.Fatalf("batch %d: %d owners took it", i, got)
			}
		}
		if rows := b.untilEqual(10*time.Second, shard); rows != 20 {
			t.Errorf("%d rows, want 20", rows)
		}
		for _, m := range b.members {
			if n := m.count("data_pulled_batches_total"); n != 0 {
				t.Errorf("%s pulled %v batches that it was sent", m.name, n)
			}
		}
	})
}

func TestReplicasConvergeAfterAPartition(t *testing.T) {
	inBubble(t, 3, 3, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		for i := range 50 {
			b.members[0].mustWrite(shard, b.members[0].point("a", int64(i), 1))
		}
		b.untilEqual(10*time.Second, shard)

		off := b.members[2]
		off.isolate(true)
		time.Sleep(6 * time.Second)
		if err := off.readable(shard); !errors.Is(err, model.ErrBehind) || !strings.Contains(err.Error(), "n0") {
			t.Errorf("the node that is cut off answers reads: %v", err)
		}
		for i := range 30 {
			b.members[i%2].mustWrite(shard, b.members[0].point("a", int64(i), 2)) // overwrites
			off.mustWrite(shard, off.point("b", int64(i), 3))                     // only there
			time.Sleep(time.Second)
			for _, m := range b.members[:2] {
				if err := m.readable(shard); err != nil {
					t.Fatalf("%s does not answer reads: %v", m.name, err)
				}
			}
		}
		b.members[1].mustWrite(shard, erase(9))
		off.mustWrite(shard, off.point("a", 100, 4))
		off.isolate(false)

		// a: 10 to 49 and 100; b: 10 to 29, as the delete came after them.
		if rows := b.untilEqual(20*time.Second, shard); rows != 41+20 {
			t.Errorf("%d rows, want 61", rows)
		}
		for _, m := range b.members {
			got := m.values(shard, "a")
			if got[15] != 2 || got[45] != 1 || got[100] != 4 {
				t.Errorf("%s has %v, %v, %v at 15, 45 and 100, want 2, 1, 4", m.name, got[15], got[45], got[100])
			}
		}
	})
}

func TestReplicaCatchesUpAfterAPowerCut(t *testing.T) {
	inBubble(t, 3, 3, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		down := b.members[1]
		for i := range 20 {
			b.members[i%3].mustWrite(shard, b.members[0].point("a", int64(i), 1))
		}
		down.kill()
		for i := range 40 {
			b.members[0].mustWrite(shard, b.members[0].point("a", int64(i), 2))
			time.Sleep(200 * time.Millisecond)
		}
		down.start()
		if err := down.readable(shard); err == nil {
			t.Error("the replica answers reads before it has met anybody")
		}
		if rows := b.untilEqual(20*time.Second, shard); rows != 40 {
			t.Errorf("%d rows, want 40", rows)
		}
		if got := down.values(shard, "a"); got[0] != 2 || got[39] != 2 {
			t.Errorf("the replica has %v and %v, want what was written meanwhile", got[0], got[39])
		}
	})
}

func TestReadsGoOnWhileAnOwnerIsDown(t *testing.T) {
	inBubble(t, 2, 2, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		b.members[0].mustWrite(shard, b.members[0].point("a", 1, 1))
		b.untilEqual(10*time.Second, shard)
		b.members[1].kill()
		b.until(10*time.Second, "the owner that is left answers", func() bool { return b.members[0].readable(shard) == nil })
		b.members[0].kill()
		b.members[0].start()
		// What it was in sync with is kept on disk: else both would have to be there.
		b.until(10*time.Second, "it answers after a restart", func() bool { return b.members[0].readable(shard) == nil })
		if got := b.members[0].values(shard, "a"); got[1] != 1 {
			t.Errorf("it has %v", got)
		}
	})
}

func TestOneWayLinkIsNotInSync(t *testing.T) {
	inBubble(t, 2, 2, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		b.members[0].mustWrite(shard, b.members[0].point("a", 1, 1))
		b.untilEqual(10*time.Second, shard)
		b.setCut(b.members[0], b.members[1], true)
		time.Sleep(8 * time.Second)
		for _, m := range b.members {
			if err := m.readable(shard); !errors.Is(err, model.ErrBehind) {
				t.Errorf("%s answers reads: %v", m.name, err)
			}
		}
		b.setCut(b.members[0], b.members[1], false)
		b.untilEqual(10*time.Second, shard)
	})
}

func TestReadThatMustContainABatchWaitsForIt(t *testing.T) {
	inBubble(t, 2, 2, nil, func(t *testing.T, b *bubble) {
		m, other := b.members[0], b.members[1]
		ref := m.shard()
		b.setCut(other, m, true)
		p := m.point("a", 1, 1)
		other.stamp(ref.Shard, p)
		if err := other.node.Write(t.Context(), ref, p, 0); err != nil {
			t.Fatal(err)
		}
		b.setCut(other, m, false)
		holds := &model.BatchSet{}
		holds.Add(p.ID)
		begun := time.Now()
		if err := m.node.readable(t.Context(), ReadRef{ShardRef: ref, Holds: holds}); err != nil {
			t.Fatalf("readable gave %v", err)
		}
		if took := time.Since(begun); took > 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if got := m.values(ref.Shard, "a"); got[1] != 1 {
			t.Errorf("it has %v", got)
		}
	})
}

func TestOwnersOfAnotherRevisionAreRefused(t *testing.T) {
	inBubble(t, 2, 1, nil, func(t *testing.T, b *bubble) {
		ref := b.members[0].shard()
		for _, m := range b.members {
			p := m.point("a", 1, 1)
			m.stamp(ref.Shard, p)
			stale := ref
			stale.Revision = ref.Revision + 7
			if err := m.node.Write(t.Context(), stale, p, 0); !errors.Is(err, model.ErrMoved) {
				t.Errorf("write to %s at another revision gave %v", m.name, err)
			}
			if _, err := m.node.Applied(t.Context(), stale); !errors.Is(err, model.ErrMoved) {
				t.Errorf("Applied of %s at another revision gave %v", m.name, err)
			}
			owner := b.owners(ref.Shard)[0] == m
			err := m.node.Write(t.Context(), ref, p, 0)
			if owner && err != nil || !owner && !errors.Is(err, model.ErrMoved) {
				t.Errorf("write to %s, owner %v, gave %v", m.name, owner, err)
			}
		}
	})
}

func TestStoppingNodeHandsOverWhatItHolds(t *testing.T) {
	inBubble(t, 3, 3, nil, func(t *testing.T, b *bubble) {
		m := b.members[0]
		ref := m.shard()
		b.untilEqual(10*time.Second, ref.Shard)
		for i := range 10 {
			p := m.point("a", int64(i), 1)
			m.stamp(ref.Shard, p)
			if err := m.node.Write(t.Context(), ref, p, 0); err != nil { // nobody else is sent it
				t.Fatal(err)
			}
		}
		m.stop()
		if rows := b.untilEqual(10*time.Second, ref.Shard); rows != 10 {
			t.Errorf("the others have %d rows, want 10", rows)
		}
	})
}

func TestManySeriesArePulledWithTheirKeys(t *testing.T) {
	inBubble(t, 2, 2, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		b.members[1].isolate(true)
		for round := range 3 {
			for i := range 200 {
				b.members[0].mustWrite(shard, b.members[0].point(fmt.Sprint(i), int64(round), 1))
			}
		}
		b.members[1].isolate(false)
		if rows := b.untilEqual(20*time.Second, shard); rows != 600 {
			t.Errorf("%d rows, want 600", rows)
		}
	})
}

func TestClockThatIsOffTakesNothing(t *testing.T) {
	inBubble(t, 3, 3, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		b.untilEqual(10*time.Second, shard)
		m := b.members[2]
		m.stop()
		m.skew = time.Hour
		m.start()
		time.Sleep(5 * time.Second)
		p := m.point("a", 1, 1)
		m.stamp(shard, p)
		for _, to := range b.members {
			if err := to.node.Write(t.Context(), ShardRef{Shard: shard}, p, 0); !errors.Is(err, model.ErrUnavailable) {
				t.Errorf("%s took a batch that was stamped an hour ahead: %v", to.name, err)
			}
		}
		if err := m.node.ClockOff(); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("ClockOff of the node gave %v", err)
		}
		if err := b.members[0].node.ClockOff(); err != nil {
			t.Errorf("ClockOff of another gave %v", err)
		}
		now, err := b.members[0].clock.Now()
		if err != nil || time.Until(now.Time()) > time.Minute {
			t.Errorf("the clock of another shows %v, %v", now.Time(), err)
		}
		if got := b.members[0].write(shard, b.members[0].point("a", 2, 1)); got != 2 {
			t.Errorf("%d owners took a batch, want the two whose clocks are right", got)
		}
	})
}

func TestSingleNodeTakesWritesRightAfterARestart(t *testing.T) {
	inBubble(t, 1, 1, nil, func(t *testing.T, b *bubble) {
		m := b.members[0]
		ref := m.shard()
		for i := range 20 {
			m.mustWrite(ref.Shard, m.point("a", int64(i), 1))
			m.kill()
			m.start()
			if err := m.readable(ref.Shard); err != nil {
				t.Fatalf("restart %d: readable gave %v", i, err)
			}
		}
		if got := m.values(ref.Shard, "a"); len(got) != 20 {
			t.Errorf("%d rows, want 20", len(got))
		}
	})
}

func TestManyShardsAreInSyncThoughFewMayBeOpen(t *testing.T) {
	few := func(c *Config) { c.OpenShards = 2 }
	inBubble(t, 2, 2, few, func(t *testing.T, b *bubble) {
		var shards []uint64
		for i := range 12 {
			at := time.Now().Add(-time.Duration(i) * 8 * 24 * time.Hour)
			shards = append(shards, b.members[i%2].shardAt(at).Shard)
			b.members[i%2].mustWrite(shards[i], b.members[i%2].point("a", at.UnixNano(), float64(i)))
		}
		for _, m := range b.members {
			m.kill()
		}
		for _, m := range b.members {
			m.start()
		}
		for _, shard := range shards {
			if rows := b.untilEqual(20*time.Second, shard); rows != 1 {
				t.Errorf("shard %d has %d rows", shard, rows)
			}
		}
		b.until(time.Minute, "few are open", func() bool { return b.members[0].node.shards.opens() <= 2 })
	})
}

func TestDroppedShardLeavesEveryOwner(t *testing.T) {
	inBubble(t, 2, 2, nil, func(t *testing.T, b *bubble) {
		ref := b.members[0].shard()
		b.members[0].mustWrite(ref.Shard, b.members[0].point("a", 1, 1))
		b.members[1].isolate(true)
		if err := b.members[0].store.DropDatabase(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		b.until(10*time.Second, "it is gone where the metadata is", func() bool { return !b.members[0].directory(ref.Shard) })
		b.members[1].isolate(false)
		b.until(10*time.Second, "it is gone everywhere", func() bool { return !b.members[1].directory(ref.Shard) })
		if peers := b.members[0].node.core.Peers(); len(peers) != 0 {
			t.Errorf("there is something to tell %v", peers)
		}
	})
}
