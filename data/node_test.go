package data

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// world is a node with its metadata and disk, and one database.
type world struct {
	store *meta.Store
	disk  *vfs.Mem
	node  *Node
	reg   *prometheus.Registry
	seq   uint64
	wall  func() time.Time // nil is the real one
}

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{store: metatest.OpenStore(t, metatest.NewMemory(), "a"), disk: vfs.NewMem()}
	if err := w.store.CreateDatabase(t.Context(), "db", nil); err != nil {
		t.Fatal(err)
	}
	w.open(t, w.disk, cfg)
	return w
}

func (w *world) open(t *testing.T, fs vfs.FS, cfg Config) {
	t.Helper()
	w.reg = prometheus.NewRegistry()
	clock, err := hlc.Open(fs, "", w.wall)
	if err != nil {
		t.Fatal(err)
	}
	node, err := Open(fs, "shards", cfg, w.store, clock, nil, slog.New(slog.DiscardHandler), w.reg)
	if err != nil {
		t.Fatalf("Open gave %v", err)
	}
	t.Cleanup(func() { node.Close() })
	w.node = node
}

// count gives the value of a counter.
func (w *world) count(t *testing.T, name string) float64 {
	t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// shard gives the shard of a time, made when missing.
func (w *world) shard(t *testing.T, at time.Time) ShardRef {
	t.Helper()
	_, p, err := w.store.Policy(t.Context(), "db", "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := w.store.EnsureGroup(t.Context(), p.UID, at.UnixNano())
	if err != nil {
		t.Fatal(err)
	}
	return ShardRef{Database: g.Database, Policy: g.Policy, Group: g.ID, Shard: g.Shards[0].ID}
}

// write writes a value of series m,t=NAME.
func (w *world) write(ref ShardRef, name string, at time.Time) error {
	w.seq++
	key := []byte("m,t=" + name)
	b := &model.Batch{
		ID:     model.BatchID{Origin: 1, Epoch: 1, Seq: w.seq},
		Series: []model.Series{{Hash: model.HashSeriesKey(key, w.store.Snapshot().HashSeed()), Key: key}},
		Tables: []model.Table{{
			Measurement: "m", Series: []uint32{0}, Times: []int64{at.UnixNano()},
			Columns: []model.Column{{Field: model.Field{Name: "v", Type: model.Float}, Bits: []uint64{math.Float64bits(1)}}},
		}},
	}
	now := time.Now()
	if w.wall != nil {
		now = w.wall()
	}
	b.Version = model.Version{HLC: model.NewHLC(now) + model.HLC(w.seq), ID: b.ID}
	return w.node.Write(context.Background(), ref, b, 0)
}

func (w *world) mustWrite(t *testing.T, ref ShardRef, name string, at time.Time) {
	t.Helper()
	if err := w.write(ref, name, at); err != nil {
		t.Fatalf("write to %s: %v", ref, err)
	}
}

// sweepUntilGone sweeps until the directory of a shard is gone. The node's own
// sweeper may be at it, too, so once may not do.
func (w *world) sweepUntilGone(t *testing.T, ref ShardRef) {
	t.Helper()
	for range 10_000 {
		w.node.sweep(t.Context())
		if _, err := w.disk.List(path.Join("shards", shardName(ref.Shard))); err != nil && !w.node.shards.has(ref.Shard) {
			return
		}
	}
	t.Fatalf("the directory of %s is still there", ref)
}

// series gives the keys of the series of a shard.
func (w *world) series(t *testing.T, ref ShardRef) string {
	t.Helper()
	list, err := w.node.List(t.Context(), ReadRef{ShardRef: ref}, &exec.ListRequest{Kind: exec.ListSeries})
	if err != nil {
		t.Fatalf("list %s: %v", ref, err)
	}
	var keys []string
	for _, e := range list.Entries {
		keys = append(keys, e.Key)
	}
	return strings.Join(keys, " ")
}

func TestNodeKeepsItsShardsOverARestart(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	old := now.Add(-100 * 24 * time.Hour)
	first, second := w.shard(t, now), w.shard(t, old)
	w.mustWrite(t, first, "a", now)
	w.mustWrite(t, second, "b", old)
	if got := w.series(t, first); got != "m,t=a" {
		t.Errorf("first shard has %q", got)
	}
	if err := w.node.Close(); err != nil {
		t.Fatalf("Close gave %v", err)
	}
	if err := w.write(first, "c", now); !errors.Is(err, model.ErrClosed) {
		t.Errorf("write after Close gave %v, want ErrClosed", err)
	}
	w.open(t, w.disk.CrashClone(func() bool { return false }), DefaultConfig())
	if got := w.series(t, first) + ", " + w.series(t, second); got != "m,t=a, m,t=b" {
		t.Errorf("after a restart the shards have %q", got)
	}
	schema, err := w.node.Schema(t.Context(), ReadRef{ShardRef: first}, nil)
	if err != nil || len(schema) != 1 || schema[0].Name != "m" || fmt.Sprint(schema[0].Tags) != "[t]" || schema[0].Fields[0].Name != "v" {
		t.Errorf("Schema gave %v, %v", schema, err)
	}
}

func TestShardNeverWrittenToIsEmpty(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	ref := w.shard(t, time.Now())
	if got := w.series(t, ref); got != "" {
		t.Errorf("the shard has %q", got)
	}
	if names, _ := w.disk.List("shards"); len(names) != 1 {
		t.Errorf("reading made %q", names)
	}
}

func TestFieldStaysListedWithoutAValue(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	ref := w.shard(t, now)
	fields := []model.Field{{Name: "v", Type: model.Float}, {Name: "w", Type: model.String}}
	for _, m := range []string{"m", "gone"} {
		if _, err := w.store.EnsureFields(t.Context(), ref.Group, m, fields); err != nil {
			t.Fatal(err)
		}
	}
	w.mustWrite(t, ref, "a", now)
	list, err := w.node.List(t.Context(), ReadRef{ShardRef: ref}, &exec.ListRequest{Kind: exec.ListFieldKeys})
	want := []exec.Entry{{Measurement: "m", Key: "v", Type: model.Float}, {Measurement: "m", Key: "w", Type: model.String}}
	if err != nil || !slices.Equal(list.Entries, want) {
		t.Errorf("field keys: got %v %v, want %v", list, err, want)
	}
}

func TestFewShardsStayOpen(t *testing.T) {
	cfg := DefaultConfig()
	cfg.OpenShards = 2
	w := newWorld(t, cfg)
	var refs []ShardRef
	at := time.Now()
	for i := range 5 {
		ref := w.shard(t, at)
		w.mustWrite(t, ref, fmt.Sprint(i), at)
		refs = append(refs, ref)
		at = at.Add(-30 * 24 * time.Hour)
	}
	for i, ref := range refs {
		if got := w.series(t, ref); got != fmt.Sprint("m,t=", i) {
			t.Errorf("shard %d has %q", i, got)
		}
	}
	if n := w.node.shards.opens(); n > 2 {
		t.Errorf("%d shards are open, want at most 2", n)
	}
}

func TestDroppedShardIsRemovedAndLateBatchesAreIgnored(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	ref := w.shard(t, now)
	w.mustWrite(t, ref, "a", now)
	if err := w.store.DropDatabase(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	w.sweepUntilGone(t, ref)
	if err := w.write(ref, "late", now); err != nil {
		t.Errorf("late batch gave %v, want it ignored", err)
	}
	if n := w.count(t, "data_late_batches_total"); n != 1 {
		t.Errorf("%v late batches counted, want 1", n)
	}
	if w.node.shards.has(ref.Shard) {
		t.Error("the late batch brought the shard back")
	}
	if got := w.series(t, ref); got != "" {
		t.Errorf("the dropped shard has %q", got)
	}
}

func TestDroppedShardStaysWhileItIsRead(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	ref := w.shard(t, now)
	w.mustWrite(t, ref, "a", now)
	h, _, err := w.node.shards.use(ref.Shard)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.DropDatabase(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	w.node.sweep(t.Context())
	if _, err := w.disk.List(path.Join("shards", shardName(ref.Shard))); err != nil {
		t.Errorf("the directory went while the shard was in use: %v", err)
	}
	if err := w.node.shards.release(h); err != nil {
		t.Fatal(err)
	}
	w.sweepUntilGone(t, ref)
}

func TestAPanicInAScanHoldsNoFile(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	ref := w.shard(t, now)
	w.mustWrite(t, ref, "a", now)
	h, shard, err := w.node.shards.use(ref.Shard)
	if err != nil {
		t.Fatal(err)
	}
	defer w.node.release(h)
	if err := shard.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("Scan ended with panic %v, want boom", p)
			}
		}()
		_ = w.node.Scan(t.Context(), ReadRef{ShardRef: ref}, &plan.Fragment{
			Measurement: "m", Range: model.AllTime, Columns: []int{0},
			Fields: []model.Field{{Name: "v", Type: model.Float}}, Inputs: []plan.Source{{Type: model.Float, Fields: []int{0}}},
		}, func(*exec.Partial) error { panic("boom") })
	}()
	w.mustWrite(t, ref, "b", now)
	if err := errors.Join(shard.Flush(t.Context()), shard.Compact(t.Context())); err != nil {
		t.Fatal(err)
	}
	names, err := w.disk.List(path.Join("shards", shardName(ref.Shard)))
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return path.Ext(name) != ".seg" })
	if len(names) != 1 {
		t.Errorf("files %v are there after compaction, want one", names)
	}
}

// A replica may be given up just when it is read: an empty one in its place
// would give an empty answer.
func TestReadingMakesNoShard(t *testing.T) {
	disk := vfs.NewMem()
	s, err := loadShards(disk, "shards", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.useThere(7); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("useThere gave %v, want ErrNotFound", err)
	}
	if names, err := disk.List("shards"); len(names) > 0 || err != nil || !s.absent(7) {
		t.Errorf("there are %v, %v", names, err)
	}
}

func TestShardsThatMetadataMayNotHaveSeenAreKept(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	ref := w.shard(t, now)
	w.mustWrite(t, ref, "a", now)
	if err := w.store.Close(); err != nil { // the metadata store is away from here on
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.node.sweep(ctx)
	if !w.node.shards.has(ref.Shard) {
		t.Error("a shard was removed without a look at the metadata")
	}
}

func TestDamagedShardDoesNotStopTheNode(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	old := now.Add(-100 * 24 * time.Hour)
	bad, good := w.shard(t, now), w.shard(t, old)
	w.mustWrite(t, bad, "a", now)
	w.mustWrite(t, good, "b", old)
	if err := w.node.Close(); err != nil {
		t.Fatal(err)
	}
	broken := vfs.NewFailing(w.disk, func(op vfs.Op) error {
		if op.Kind == vfs.OpOpen && strings.Contains(op.Name, shardName(bad.Shard)) {
			return model.ErrCorrupt
		}
		return nil
	})
	w.open(t, broken, DefaultConfig())
	if got := w.series(t, good); got != "m,t=b" {
		t.Errorf("the good shard has %q", got)
	}
	want := fmt.Sprintf("shard %d", bad.Shard)
	if err := w.write(bad, "c", now); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("write to the damaged shard gave %v, want an error that names it", err)
	}
	if _, err := w.node.List(t.Context(), ReadRef{ShardRef: bad}, &exec.ListRequest{Kind: exec.ListSeries}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("list of the damaged shard gave %v, want an error that names it", err)
	}
}

func TestShardsOfAnotherClusterAreRefused(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	w.mustWrite(t, w.shard(t, now), "a", now)
	if err := w.node.Close(); err != nil {
		t.Fatal(err)
	}
	other := metatest.OpenStore(t, metatest.NewMemory(), "a")
	if _, err := Open(w.disk, "shards", DefaultConfig(), other, w.node.clock, nil, slog.New(slog.DiscardHandler), nil); !errors.Is(err, model.ErrConflict) {
		t.Errorf("Open with the metadata of another cluster gave %v, want ErrConflict", err)
	}
	if err := w.disk.Remove(path.Join("shards", clusterFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(w.disk, "shards", DefaultConfig(), w.store, w.node.clock, nil, slog.New(slog.DiscardHandler), nil); !errors.Is(err, model.ErrConflict) {
		t.Errorf("Open of unmarked shards gave %v, want ErrConflict", err)
	}
}

func TestRowsWaitUntilFullMemtablesAreFlushed(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	ref := w.shard(t, now)
	w.mustWrite(t, ref, "a", now)
	w.node.memory.Store(w.node.cfg.MemtableBytes)
	w.mustWrite(t, ref, "b", now) // the reliever was asked
}

func TestFullMemtablesThatCannotBeFlushedRefuseRows(t *testing.T) {
	n := &Node{cfg: DefaultConfig(), relief: make(chan struct{}, 1)}
	n.metrics = newMetrics(nil, n)
	n.memory.Store(n.cfg.MemtableBytes - 1)
	if err := n.admit(t.Context()); err != nil || n.Behind() {
		t.Errorf("below the bound: %v, behind %v", err, n.Behind())
	}
	synctest.Test(t, func(t *testing.T) {
		n.memory.Store(n.cfg.MemtableBytes)
		begin := time.Now()
		if err := n.admit(t.Context()); !errors.Is(err, model.ErrOverloaded) || time.Since(begin) != roomWait || !n.Behind() {
			t.Errorf("at the bound: %v after %v, behind %v", err, time.Since(begin), n.Behind())
		}
		n.stuck.Store(true)
		begin = time.Now()
		if err := n.admit(t.Context()); !errors.Is(err, model.ErrOverloaded) || time.Since(begin) != 0 || n.Behind() {
			t.Errorf("while nothing can be flushed: %v after %v, behind %v", err, time.Since(begin), n.Behind())
		}
	})
}

func TestShardThatCannotBeFlushedKeepsNoOtherFromIt(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	if err := w.node.Close(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	bad, good := w.shard(t, now), w.shard(t, now.Add(-365*24*time.Hour))
	cfg := DefaultConfig()
	cfg.MemtableBytes = 1 << 20
	w.open(t, vfs.NewFailing(w.disk, func(op vfs.Op) error {
		if op.Kind == vfs.OpCreate && path.Dir(op.Name) == path.Join("shards", shardName(bad.Shard)) && strings.Contains(op.Name, ".seg") {
			return errors.New("broken disk")
		}
		return nil
	}), cfg)
	w.mustWrite(t, bad, "a", now)
	w.mustWrite(t, good, "a", now.Add(-365*24*time.Hour))
	h, shard, err := w.node.shards.use(bad.Shard)
	if err != nil {
		t.Fatal(err)
	}
	defer w.node.release(h)
	text := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(text) // packing must not help
	large := &model.Batch{
		ID:     model.BatchID{Origin: 2, Epoch: 1, Seq: 1},
		Series: []model.Series{{Hash: model.HashSeriesKey([]byte("m"), w.store.Snapshot().HashSeed()), Key: []byte("m")}},
		Tables: []model.Table{{
			Measurement: "m", Series: []uint32{0}, Times: []int64{now.UnixNano()},
			Columns: []model.Column{{Field: model.Field{Name: "s", Type: model.String}, Ends: []uint32{1 << 20}, Text: text}},
		}},
	}
	large.Version = model.Version{HLC: model.NewHLC(time.Now()), ID: large.ID}
	if err := shard.Write(t.Context(), large); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first only packs
		w.node.relieve(t.Context())
	}
	if w.node.memory.Store(cfg.MemtableBytes); w.node.Behind() {
		t.Error("writes wait for a shard that cannot be flushed")
	}
	h, shard, err = w.node.shards.use(good.Shard)
	if err != nil {
		t.Fatal(err)
	}
	defer w.node.release(h)
	if info := shard.Info(); info.Files != 1 {
		t.Errorf("the other shard has %d files and %d bytes in memory, want it to be flushed", info.Files, info.MemoryBytes)
	}
}

func TestHalfRemovedShardIsNotOpened(t *testing.T) {
	disk := vfs.NewMem()
	dead := path.Join("shards", shardName(7)+droppedSuffix)
	if err := vfs.MkdirAll(disk, dead); err != nil {
		t.Fatal(err)
	}
	s, err := loadShards(disk, "shards", 1, nil)
	if err != nil || s.has(7) {
		t.Errorf("loadShards gave shard 7: %v, %v", s.has(7), err)
	}
	if _, err := disk.List(dead); err == nil {
		t.Error("what was left of it is still there")
	}
}

func TestFormatDescribesTheClusterFile(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```cluster\n")
	example, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("FORMAT.md has no example of a cluster file")
	}
	disk := vfs.NewMem()
	if err := vfs.MkdirAll(disk, "shards"); err != nil {
		t.Fatal(err)
	}
	const id = "00112233445566778899aabbccddeeff"
	if err := claim(disk, "shards", id, true); err != nil {
		t.Fatal(err)
	}
	got, err := vfs.ReadFile(disk, path.Join("shards", clusterFile), 1<<10)
	if err != nil || string(got) != example {
		t.Errorf("FORMAT.md says %q, the code wrote %q, %v", example, got, err)
	}
	if err := claim(disk, "shards", id, false); err != nil {
		t.Errorf("claim of the own directory gave %v", err)
	}
	for _, bad := range []string{"", id, "varve shards 2 " + id + "\n", clusterPrefix + id} {
		if err := vfs.WriteFile(disk, path.Join("shards", clusterFile), []byte(bad)); err != nil {
			t.Fatal(err)
		}
		if err := claim(disk, "shards", id, false); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("claim of a file with %q gave %v, want ErrCorrupt", bad, err)
		}
	}
}
