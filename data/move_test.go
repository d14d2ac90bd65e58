package data

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

// without gives a member that is no owner of a shard.
func (b *bubble) without(shard uint64) *member {
	b.t.Helper()
	for _, m := range b.members {
		if m.up && m.node.stateIn(m.known(shard)) == "" {
			return m
		}
	}
	b.t.Fatal("every member is an owner")
	return nil
}

// move begins to move a shard from one member to another; a nil from adds one.
func (b *bubble) move(shard uint64, from, to *member) {
	b.t.Helper()
	replaces := uint64(0)
	if from != nil {
		replaces = from.id
	}
	up := b.members[slices.IndexFunc(b.members, func(m *member) bool { return m.up })]
	if err := up.store.AddOwner(b.t.Context(), meta.Fence{}, shard, to.id, replaces, meta.ByHand); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bubble) untilState(d time.Duration, shard uint64, want string) {
	b.t.Helper()
	b.until(d, "owners are "+want, func() bool { return b.state(shard) == want })
}

func TestShardMovesUnderWrites(t *testing.T) {
	inBubble(t, 3, 2, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		to := b.without(shard)
		from := b.owners(shard)[0]
		write := func(i int) {
			b.members[i%3].mustWrite(shard, b.members[0].point("a", int64(i), float64(i)))
		}
		for i := range 100 {
			write(i)
		}
		b.untilEqual(10*time.Second, shard)
		b.move(shard, from, to)
		for i := 100; i < 200; i++ {
			write(i)
			time.Sleep(100 * time.Millisecond)
		}
		b.until(30*time.Second, "the old owner is gone", func() bool {
			return from.node.stateIn(from.known(shard)) == "" && !from.directory(shard)
		})
		if rows := b.untilEqual(20*time.Second, shard); rows != 200 {
			t.Errorf("%d rows, want 200", rows)
		}
		if to.count("data_copies_total") != 1 || len(b.owners(shard)) != 2 {
			t.Errorf("%v copies, owners %s", to.count("data_copies_total"), b.state(shard))
		}
		for _, m := range b.members {
			if n := m.count("data_leftover_batches_taken_total"); n != 0 {
				t.Errorf("%v batches were left over", n)
			}
		}
	})
}

func TestMoveSurvivesPowerCutsAtAnyMoment(t *testing.T) {
	inBubble(t, 3, 2, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		to := b.without(shard)
		from := b.owners(shard)[0]
		for i := range 100 {
			b.members[i%3].mustWrite(shard, b.members[0].point("a", int64(i), float64(i)))
		}
		b.untilEqual(10*time.Second, shard)
		b.move(shard, from, to)
		for range 12 {
			time.Sleep(time.Duration(b.random.IntN(1500)) * time.Millisecond)
			m := []*member{to, from}[b.random.IntN(2)]
			m.kill()
			time.Sleep(time.Duration(b.random.IntN(4000)) * time.Millisecond)
			m.start()
		}
		b.until(60*time.Second, "the move is done", func() bool {
			return from.node.stateIn(from.known(shard)) == "" && !from.directory(shard) && len(b.owners(shard)) == 2
		})
		if rows := b.untilEqual(20*time.Second, shard); rows != 100 {
			t.Errorf("%d rows, want 100", rows)
		}
	})
}

func TestSecondOwnerOfASingleReplicaGetsAll(t *testing.T) {
	inBubble(t, 2, 1, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		to := b.without(shard)
		first := b.owners(shard)[0]
		for i := range 50 {
			first.mustWrite(shard, first.point(fmt.Sprint(i%7), int64(i), float64(i)))
		}
		b.move(shard, nil, to)
		b.until(30*time.Second, "both are active", func() bool { return len(b.owners(shard)) == 2 })
		if rows := b.untilEqual(20*time.Second, shard); rows != 50 {
			t.Errorf("%d rows, want 50", rows)
		}
	})
}

func TestEmptyShardMoves(t *testing.T) {
	inBubble(t, 2, 1, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		to, from := b.without(shard), b.owners(shard)[0]
		b.move(shard, from, to)
		b.untilState(30*time.Second, shard, fmt.Sprintf("[%s active]", to.name))
		to.mustWrite(shard, to.point("a", 1, 1))
		if rows := b.untilEqual(10*time.Second, shard); rows != 1 {
			t.Errorf("%d rows, want 1", rows)
		}
	})
}

func TestWipedNodeIsMadeWhole(t *testing.T) {
	inBubble(t, 3, 3, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		for i := range 60 {
			b.members[i%3].mustWrite(shard, b.members[0].point("a", int64(i), float64(i)))
		}
		b.untilEqual(10*time.Second, shard)
		m := b.members[1]
		was := m.id
		m.wipe()
		time.Sleep(5 * time.Second) // its lease ends
		m.start()
		if m.id == was {
			t.Fatalf("the node has its old id %d", was)
		}
		b.members[0].mustWrite(shard, b.members[0].point("a", 100, 1))
		b.until(60*time.Second, "it is an active owner again", func() bool {
			return m.known(shard) != nil && m.node.stateIn(m.known(shard)) == meta.Active
		})
		if rows := b.untilEqual(20*time.Second, shard); rows != 61 {
			t.Errorf("%d rows, want 61", rows)
		}
		if m.count("data_copies_total") != 1 {
			t.Errorf("%v copies", m.count("data_copies_total"))
		}
	})
}

func TestDamagedReplicaIsCopiedAnew(t *testing.T) {
	inBubble(t, 3, 3, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		for i := range 60 {
			b.members[i%3].mustWrite(shard, b.members[0].point("a", int64(i), float64(i)))
		}
		b.untilEqual(10*time.Second, shard)
		m := b.members[2]
		m.stop()
		damage(t, m.disk, path.Join("shards", shardName(shard)), ".seg")
		m.start()
		b.until(60*time.Second, "it was copied anew", func() bool { return m.count("data_copies_total") == 1 })
		b.untilState(60*time.Second, shard, "[n0 active n1 active n2 active]")
		if rows := b.untilEqual(20*time.Second, shard); rows != 60 {
			t.Errorf("%d rows, want 60", rows)
		}
	})
}

func TestReplicaThatDoesNotOpenIsCopiedAnew(t *testing.T) {
	inBubble(t, 2, 2, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		for i := range 10 {
			b.members[i%2].mustWrite(shard, b.members[0].point("a", int64(i), float64(i)))
		}
		b.untilEqual(10*time.Second, shard)
		m := b.members[1]
		m.stop()
		damage(t, m.disk, path.Join("shards", shardName(shard)), "MANIFEST")
		m.start()
		b.until(60*time.Second, "it was copied anew", func() bool { return m.count("data_copies_total") == 1 })
		if rows := b.untilEqual(20*time.Second, shard); rows != 10 {
			t.Errorf("%d rows, want 10", rows)
		}
		if _, err := m.disk.List(path.Join("shards", shardName(shard)+asideSuffix)); err != nil {
			t.Errorf("what could not be read was not kept: %v", err)
		}
	})
}

// It cannot happen; whatever made it so, replicas must not differ for good.
func TestReplicaThatRefusesAPulledBatchIsCopiedAnew(t *testing.T) {
	inBubble(t, 2, 2, nil, func(t *testing.T, b *bubble) {
		m := b.members[0]
		shard := m.shard().Shard
		m.mustWrite(shard, m.point("a", 1, 1))
		b.untilEqual(10*time.Second, shard)
		time.Sleep(time.Minute)
		other := b.members[1]
		other.node.core.Frontier(other.node.lately(), shard) // binds from now on
		p := m.point("a", 2, 1)
		m.stamp(shard, p)
		p.Version.HLC = model.NewHLC(time.Now().Add(-30 * time.Second)) // all have said that none comes below that
		h, s, err := m.node.shards.use(shard)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		m.node.core.Durable(shard, p.Version)
		m.node.release(h)
		b.until(time.Minute, "the other was copied anew", func() bool { return other.count("data_copies_total") == 1 })
		if rows := b.untilEqual(20*time.Second, shard); rows != 2 {
			t.Errorf("%d rows, want 2", rows)
		}
	})
}

// damage changes a byte in the middle of each file below dir whose name has a
// part.
func damage(t *testing.T, disk *vfs.Mem, dir, part string) {
	t.Helper()
	names, err := disk.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if !strings.Contains(name, part) {
			continue
		}
		file := path.Join(dir, name)
		bytes, err := vfs.ReadFile(disk, file, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		bytes[len(bytes)/2] ^= 0x55
		if err := vfs.WriteFile(disk, file, bytes); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n == 0 {
		t.Fatalf("no file with %q in %q", part, names)
	}
}

func TestOwnerAwayPastTheCapHandsOverItsLeftovers(t *testing.T) {
	small := func(c *Config) { c.CatchupMaxBytes = 20 << 10 }
	inBubble(t, 3, 3, small, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		b.members[0].mustWrite(shard, b.members[0].point("a", 0, 1))
		b.untilEqual(10*time.Second, shard)
		away := b.members[2]
		away.isolate(true)
		away.mustWrite(shard, away.point("only", 1, 7))
		away.mustWrite(shard, away.point("a", 5, 7)) // written again by others
		away.mustWrite(shard, away.point("gone", 3, 7))
		time.Sleep(6 * time.Second)
		for i := range 400 {
			b.members[i%2].mustWrite(shard, b.members[0].point("a", int64(i), 2))
		}
		b.members[0].mustWrite(shard, b.members[0].point("gone", 4, 2))
		b.members[1].mustWrite(shard, &model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: 3, Max: 3}}})
		for _, m := range b.members[:2] {
			h, s, err := m.node.shards.use(shard)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.node.release(h)
		}
		before := b.members[0].count("data_replica_log_bytes")
		b.until(time.Minute, "the owner was given up", func() bool {
			return strings.Contains(b.state(shard), "n2 rebuild")
		})
		b.until(time.Minute, "the log for it was let go", func() bool {
			return b.members[0].count("data_replica_log_bytes") < before
		})
		away.isolate(false)
		b.until(2*time.Minute, "it was copied anew", func() bool { return away.count("data_copies_total") == 1 })
		b.untilState(time.Minute, shard, "[n0 active n1 active n2 active]")
		b.untilEqual(20*time.Second, shard)
		for _, m := range b.members {
			a, only, gone := m.values(shard, "a"), m.values(shard, "only"), m.values(shard, "gone")
			if len(a) != 399 || a[5] != 2 || only[1] != 7 || len(gone) != 1 {
				t.Errorf("%s has %d values of a, %v at 5, only %v, gone %v", m.name, len(a), a[5], only, gone)
			}
		}
	})
}

func TestReplacedOwnerThatReturnsHandsOverItsLeftovers(t *testing.T) {
	inBubble(t, 3, 2, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		to, from := b.without(shard), b.owners(shard)[0]
		b.members[0].mustWrite(shard, b.members[0].point("a", 1, 1))
		b.untilEqual(10*time.Second, shard)
		from.isolate(true)
		from.mustWrite(shard, from.point("only", 1, 7))
		from.kill()
		time.Sleep(5 * time.Second)
		if err := to.store.RemoveOwner(t.Context(), meta.Fence{}, shard, from.id); err != nil {
			t.Fatal(err)
		}
		b.move(shard, nil, to)
		b.until(time.Minute, "the new owner is active", func() bool { return len(b.owners(shard)) == 2 })
		b.move(shard, nil, byName(b, from.name))
		from.isolate(false)
		from.start()
		b.until(time.Minute, "it is an owner again", func() bool { return len(b.owners(shard)) == 3 })
		b.untilEqual(20*time.Second, shard)
		for _, m := range b.members {
			if got := m.values(shard, "only"); got[1] != 7 {
				t.Errorf("%s has %v of what only the owner had that was replaced", m.name, got)
			}
		}
	})
}

func byName(b *bubble, name string) *member {
	for _, m := range b.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

func TestReplicaThatIsGivenUpAcknowledgesNothing(t *testing.T) {
	inBubble(t, 2, 2, nil, func(t *testing.T, b *bubble) {
		m := b.members[0]
		ref := m.shard()
		m.mustWrite(ref.Shard, m.point("a", 1, 1))
		b.untilEqual(10*time.Second, ref.Shard)
		h, _, err := m.node.shards.use(ref.Shard) // somebody reads it, so it stays for a while
		if err != nil {
			t.Fatal(err)
		}
		if gone, err := m.node.shards.drop(ref.Shard); gone || err != nil {
			t.Fatalf("drop gave %v, %v", gone, err)
		}
		p := m.point("a", 2, 1)
		m.stamp(ref.Shard, p)
		if err := m.node.Write(t.Context(), ref, p, 0); !errors.Is(err, model.ErrMoved) {
			t.Errorf("write gave %v, want ErrMoved", err)
		}
		if _, err := m.node.List(t.Context(), ReadRef{ShardRef: ref}, &exec.ListRequest{Kind: exec.ListSeries}); !errors.Is(err, model.ErrMoved) {
			t.Errorf("read gave %v, want ErrMoved", err)
		}
		if _, err := m.node.Fetch(t.Context(), ref, &model.BatchSet{}, nil); !errors.Is(err, model.ErrMoved) {
			t.Errorf("fetch gave %v, want ErrMoved", err)
		}
		m.node.release(h)
	})
}
