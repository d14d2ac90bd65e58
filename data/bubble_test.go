package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// bubble is a cluster of data nodes in one process and in a synctest bubble:
// disks and metadata are in memory, calls between nodes are direct ones over
// links that the test can cut, and time is that of the bubble.
type bubble struct {
	t       *testing.T
	kv      *metatest.Memory
	cfg     Config
	random  *rand.Rand
	members []*member

	mu    sync.Mutex
	cut   map[[2]*member]bool // calls, or answers, from the first to the second
	epoch uint64
	sent  map[model.BatchID]*model.Batch // all that were stamped

	// piece, when set, is called for each piece of a copy and may break it off.
	piece func(SnapshotPart) error
	// wire changes the parts of copies as a connection does; nil: it does not.
	wire func(SnapshotPart) SnapshotPart
}

// member is a node of a bubble, with what outlives its process.
type member struct {
	b    *bubble
	name string
	id   uint64
	disk *vfs.Mem
	skew time.Duration // of its clock

	// Of the process.
	view  *metatest.View
	store *meta.Store
	clock *hlc.Clock
	node  *Node
	up    bool
	reg   *prometheus.Registry
	epoch uint64
	seq   map[uint64]uint64
}

// inBubble runs a test with a cluster of so many nodes, whose database db has as
// many replicas as that.
func inBubble(t *testing.T, nodes, replicas int, change func(*Config), test func(*testing.T, *bubble)) {
	t.Helper()
	random := seeded.Rand(t)
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, kv: metatest.NewMemory(), cfg: DefaultConfig(), random: random, cut: make(map[[2]*member]bool), sent: make(map[model.BatchID]*model.Batch)}
		b.cfg.HandOverFor = 3 * time.Second
		if change != nil {
			change(&b.cfg)
		}
		t.Cleanup(func() {
			for _, m := range b.members {
				if m.up {
					m.node.cfg.HandOverFor = 0
					m.stop()
				}
			}
		})
		for i := range nodes {
			b.add(fmt.Sprintf("n%d", i))
		}
		if err := b.members[0].store.CreateDatabase(t.Context(), "db", &meta.PolicySpec{Replicas: &replicas}); err != nil {
			t.Fatal(err)
		}
		test(t, b)
	})
}

// add starts a new node on an empty disk.
func (b *bubble) add(name string) *member {
	m := &member{b: b, name: name, disk: vfs.NewMem()}
	b.members = append(b.members, m)
	m.start()
	return m
}

// start starts the process of a node on its disk.
func (m *member) start() {
	t := m.b.t
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("DATA_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", m.name)
	}
	m.view = m.b.kv.View()
	store, err := meta.Open(t.Context(), m.view, m.disk, "meta", meta.DefaultConfig(), log, nil)
	if err != nil {
		t.Fatalf("%s: open metadata: %v", m.name, err)
	}
	self, err := store.RegisterNode(t.Context(), meta.NodeSpec{Name: m.name, Roles: []meta.Role{meta.RoleData}, Version: "test"})
	if err != nil {
		t.Fatalf("%s: register: %v", m.name, err)
	}
	clock, err := hlc.Open(m.disk, "", func() time.Time { return time.Now().Add(m.skew) })
	if err != nil {
		t.Fatal(err)
	}
	m.reg = prometheus.NewRegistry()
	node, err := Open(m.disk, "shards", m.b.cfg, store, clock, links{m}, log, m.reg)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	m.b.epoch++
	m.id, m.store, m.clock, m.node, m.up, m.epoch, m.seq = self.ID, store, clock, node, true, m.b.epoch, make(map[uint64]uint64)
	node.SetAnew(func(ctx context.Context, ref ShardRef, b *model.Batch) error {
		m.stamp(ref.Shard, b)
		if acks := m.send(ctx, ref.Shard, b); acks == 0 {
			return model.ErrUnavailable
		}
		return nil
	})
}

// stop ends the process of a node in an orderly way.
func (m *member) stop() {
	m.b.t.Helper()
	if err := m.node.Close(); err != nil {
		m.b.t.Errorf("%s: Close gave %v", m.name, err)
	}
	m.setUp(false)
	m.store.Close()
}

// kill ends the process of a node like a power cut: what was not synced is lost,
// or some of it.
func (m *member) kill() {
	m.setUp(false)
	m.view.SetAway(true)
	disk := m.disk.CrashClone(func() bool { return m.b.random.IntN(2) == 0 })
	m.node.cfg.HandOverFor = 0
	m.node.Close() // what it still writes goes to a disk that is gone
	m.store.Close()
	m.disk = disk
}

func (m *member) setUp(up bool) {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	m.up = up
}

// wipe ends a node and takes its disk away.
func (m *member) wipe() {
	m.kill()
	m.disk = vfs.NewMem()
}

// isolate cuts a node off from the others and from the metadata, or ends that.
func (m *member) isolate(off bool) {
	m.view.SetAway(off)
	for _, o := range m.b.members {
		if o != m {
			m.b.setCut(m, o, off)
			m.b.setCut(o, m, off)
		}
	}
}

// setCut drops what goes from one node to another.
func (b *bubble) setCut(from, to *member, off bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut[[2]*member{from, to}] = off
}

// passes waits as long as something from one node to another takes, or until
// whoever waits for it gives up.
func (b *bubble) passes(ctx context.Context, from, to *member) error {
	b.mu.Lock()
	up, cut := from.up && to.up, b.cut[[2]*member{from, to}]
	b.mu.Unlock()
	switch {
	case !up:
		return fmt.Errorf("%s is down: %w", to.name, model.ErrUnavailable)
	case !cut:
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(3 * time.Second):
		return fmt.Errorf("%s does not answer: %w", to.name, model.ErrUnavailable)
	}
}

// links is the way from one node to the others.
type links struct{ from *member }

// Owner implements Directory.
func (l links) Owner(node uint64) Owner {
	if to := l.from.b.byID(node); to != nil {
		return &link{from: l.from, to: to}
	}
	return nil
}

func (b *bubble) byID(node uint64) *member {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.members {
		if m.id == node && m.node != nil {
			return m
		}
	}
	return nil
}

// link is calls from one node to another.
type link struct{ from, to *member }

func (l *link) call(ctx context.Context, f func() error) error {
	if err := l.from.b.passes(ctx, l.from, l.to); err != nil {
		return err
	}
	err := f()
	if perr := l.from.b.passes(ctx, l.to, l.from); perr != nil {
		return perr
	}
	return err
}

func (l *link) Tell(ctx context.Context, m *replica.Message) (answer *replica.Message, err error) {
	m, err = recode(m)
	if err != nil {
		return nil, err
	}
	err = l.call(ctx, func() (err error) {
		answer, err = l.to.node.Tell(ctx, m)
		return err
	})
	if err != nil || answer == nil {
		return nil, err
	}
	return recode(answer)
}

// recode sends a message through its binary form.
func recode(m *replica.Message) (*replica.Message, error) {
	return replica.DecodeMessage(replica.AppendMessage(nil, m))
}

func (l *link) Applied(ctx context.Context, ref ShardRef) (set *model.BatchSet, err error) {
	err = l.call(ctx, func() (err error) {
		set, err = l.to.node.Applied(ctx, ref)
		return err
	})
	return set, err
}

func (l *link) Write(ctx context.Context, ref ShardRef, b *model.Batch, heldBy uint64) error {
	return l.call(ctx, func() error { return l.to.node.Write(ctx, ref, b, heldBy) })
}

func (l *link) Fetch(ctx context.Context, ref ShardRef, want *model.BatchSet, emit func(*model.Batch) error) (trimmed *model.BatchSet, err error) {
	err = l.call(ctx, func() (err error) {
		trimmed, err = l.to.node.Fetch(ctx, ref, want, func(b *model.Batch) error {
			if err := l.from.b.passes(ctx, l.to, l.from); err != nil {
				return err
			}
			b, err := model.DecodeBatch(model.AppendBatch(nil, b))
			if err != nil {
				return err
			}
			return emit(b)
		})
		return err
	})
	return trimmed, err
}

func (l *link) Snapshot(ctx context.Context, ref ShardRef, resume []SnapshotFile, emit func(SnapshotPart) error) error {
	return l.call(ctx, func() error {
		return l.to.node.Snapshot(ctx, ref, resume, func(p SnapshotPart) error {
			if err := l.from.b.passes(ctx, l.to, l.from); err != nil {
				return err
			}
			if l.from.b.piece != nil {
				if err := l.from.b.piece(p); err != nil {
					return err
				}
			}
			if l.from.b.wire != nil {
				p = l.from.b.wire(p)
			}
			return emit(p)
		})
	})
}

func (l *link) Offer(ctx context.Context, ref ShardRef, b *model.Batch) error {
	return l.call(ctx, func() error { return l.to.node.Offer(ctx, ref, b) })
}

func (l *link) Digest(ctx context.Context, ref ShardRef) (d tsm.Digest, err error) {
	err = l.call(ctx, func() (err error) {
		d, err = l.to.node.Digest(ctx, ref)
		return err
	})
	return d, err
}

// shard gives the first shard of the group of now, as a member knows it.
func (m *member) shard() ShardRef { return m.shardAt(time.Now()) }

func (m *member) shardAt(at time.Time) ShardRef {
	t := m.b.t
	t.Helper()
	_, p, err := m.store.Policy(t.Context(), "db", "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.store.EnsureGroup(t.Context(), p.UID, at.UnixNano())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range m.b.members {
		if o.up {
			if err := o.store.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return refOf(g, &g.Shards[0])
}

// known gives a shard as a member knows it.
func (m *member) known(id uint64) *meta.Shard {
	_, sh := m.store.Snapshot().Shard(id)
	return sh
}

// point makes a batch that sets the value of series m,t=NAME at a time.
func (m *member) point(name string, at int64, value float64) *model.Batch {
	key := []byte("m,t=" + name)
	return &model.Batch{
		Series: []model.Series{{Hash: model.HashSeriesKey(key, m.store.Snapshot().HashSeed()), Key: key}},
		Tables: []model.Table{{
			Measurement: "m", Series: []uint32{0}, Times: []int64{at},
			Columns: []model.Column{{Field: model.Field{Name: "v", Type: model.Float}, Bits: []uint64{math.Float64bits(value)}}},
		}},
	}
}

// erase makes a batch that deletes everything up to a time.
func erase(until int64) *model.Batch {
	return &model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: model.MinTime, Max: until}}}
}

// stamp gives a batch the next id and version of a node.
func (m *member) stamp(shard uint64, b *model.Batch) {
	m.b.t.Helper()
	now, err := m.clock.Now()
	if err != nil {
		m.b.t.Fatal(err)
	}
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	m.seq[shard]++
	b.ID = model.BatchID{Origin: m.id, Epoch: m.epoch, Seq: m.seq[shard]}
	b.Version = model.Version{HLC: now, ID: b.ID}
	m.b.sent[b.ID] = b
}

// write stamps a batch at a node and sends it to all owners that it can reach.
// It gives the number of active ones that have it; a leaving one counts for
// nothing without them.
func (m *member) write(shard uint64, b *model.Batch) int {
	m.b.t.Helper()
	m.stamp(shard, b)
	return m.send(m.b.t.Context(), shard, b)
}

func (m *member) send(ctx context.Context, shard uint64, b *model.Batch) int {
	got, moved := m.sendOnce(ctx, shard, b)
	for try := 0; moved && try < 3 && m.store.Refresh(ctx) == nil; try++ {
		got, moved = m.sendOnce(ctx, shard, b)
	}
	return got
}

// sendOnce tells also whether an owner knows other owners than the sender.
func (m *member) sendOnce(ctx context.Context, shard uint64, b *model.Batch) (got int, moved bool) {
	g, sh := m.store.Snapshot().Shard(shard)
	ref := refOf(g, sh)
	type answer struct {
		err    error
		counts bool
	}
	answers := make(chan answer, len(sh.Owners))
	n := 0
	for _, o := range sh.Owners {
		if !serves(o.State) {
			continue
		}
		n++
		go func() {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			var err error
			switch to := m.b.byID(o.Node); {
			case to == nil:
				err = errNoWay
			case to == m:
				err = m.node.Write(ctx, ref, b, 0)
			default:
				err = (&link{m, to}).Write(ctx, ref, b, 0)
			}
			answers <- answer{err, o.State == meta.Active}
		}()
	}
	for range n {
		a := <-answers
		if a.err == nil && a.counts {
			got++
		}
		moved = moved || errors.Is(a.err, model.ErrMoved)
	}
	return got, moved
}

// mustWrite writes a batch that some owner must take.
func (m *member) mustWrite(shard uint64, b *model.Batch) {
	m.b.t.Helper()
	if m.write(shard, b) == 0 {
		m.b.t.Fatalf("%s: nobody took a batch", m.name)
	}
}

// owners gives the members that serve a shard, as the first member that is up
// knows it.
func (b *bubble) owners(shard uint64) []*member {
	b.t.Helper()
	for _, m := range b.members {
		if !m.up {
			continue
		}
		if err := m.store.Refresh(b.t.Context()); err != nil {
			continue
		}
		var all []*member
		for _, o := range m.known(shard).Owners {
			if to := b.byID(o.Node); to != nil && to.up && serves(o.State) {
				all = append(all, to)
			}
		}
		return all
	}
	b.t.Fatal("no member is there")
	return nil
}

// state says who owns a shard, in short.
func (b *bubble) state(shard uint64) string {
	b.t.Helper()
	for _, m := range b.members {
		if m.up && !m.store.Away() {
			var s []string
			for _, o := range m.known(shard).Owners {
				s = append(s, fmt.Sprintf("%s %s", m.node.nameOf(o.Node), o.State))
			}
			slices.Sort(s)
			return fmt.Sprint(s)
		}
	}
	return "nobody is there"
}

// until waits until a condition holds, at most for d of the bubble's time.
func (b *bubble) until(d time.Duration, what string, f func() bool) {
	b.t.Helper()
	for end := time.Now().Add(d); !f(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("after %v not yet: %s", d, what)
		}
	}
}

// untilEqual waits until all owners of a shard that are up answer reads and have
// the same content, and gives its rows.
func (b *bubble) untilEqual(d time.Duration, shard uint64) int64 {
	b.t.Helper()
	var digests []tsm.Digest
	b.until(d, "owners are equal", func() bool {
		digests = digests[:0]
		for _, m := range b.owners(shard) {
			if err := m.readable(shard); err != nil {
				return false
			}
			digest, err := m.node.Digest(b.t.Context(), ShardRef{Shard: shard})
			if err != nil {
				return false
			}
			digests = append(digests, digest)
		}
		for _, digest := range digests {
			if !digest.Applied.Equal(digests[0].Applied) {
				return false
			}
		}
		return len(digests) > 0
	})
	for _, digest := range digests {
		if digest.Hash != digests[0].Hash {
			b.t.Fatalf("owners hold the same batches and differ: %d rows and %d rows", digests[0].Rows, digest.Rows)
		}
	}
	return digests[0].Rows
}

// readable says why a member does not answer reads of a shard, nil when it does.
func (m *member) readable(shard uint64) error {
	return m.node.readable(m.b.t.Context(), ReadRef{ShardRef: ShardRef{Shard: shard}})
}

// values gives the values of a series at a member, by time, whatever it lacks.
func (m *member) values(shard uint64, name string) map[int64]float64 {
	t := m.b.t
	t.Helper()
	h, s, err := m.node.shards.use(shard)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	defer m.node.release(h)
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ids, err := r.Series("m", nil)
	if err != nil {
		t.Fatal(err)
	}
	ids = slices.DeleteFunc(ids, func(id uint32) bool { return string(r.Key(id)) != "m,t="+name })
	all := make(map[int64]float64)
	c := r.Scan(tsm.ScanOptions{
		Series: ids, Fields: []model.Field{{Name: "v", Type: model.Float}},
		Range: model.TimeRange{Min: model.MinTime, Max: model.MaxTime},
	})
	defer c.Close()
	for {
		g, err := c.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		times, columns, err := g.Load()
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range times {
			if columns[0].Has(i) {
				all[at] = math.Float64frombits(columns[0].Bits[i])
			}
		}
	}
}

// directory reports whether a member has a directory of a shard.
func (m *member) directory(shard uint64) bool {
	_, err := m.disk.List(path.Join("shards", shardName(shard)))
	return err == nil
}

// count gives the sum of a metric of a member.
func (m *member) count(name string) float64 {
	families, err := m.reg.Gather()
	if err != nil {
		m.b.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, x := range f.GetMetric() {
			sum += x.GetCounter().GetValue() + x.GetGauge().GetValue()
		}
	}
	return sum
}
