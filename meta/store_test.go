package meta_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
)

const root = "/varve/varve/"

var quiet = slog.New(slog.DiscardHandler)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// written gives a Store with database "db", a group that holds time 0, and a
// Float field "f" of measurement "m" in it.
func written(t *testing.T, kv meta.KV, fs vfs.FS) (*meta.Store, *meta.ShardGroup) {
	t.Helper()
	s := metatest.OpenStoreIn(t, kv, fs, "n")
	must(t, s.CreateDatabase(t.Context(), "db", nil))
	g, err := s.EnsureGroup(t.Context(), s.Snapshot().Database("db").Policy("").UID, 0)
	must(t, err)
	_, err = s.EnsureFields(t.Context(), g.ID, "m", []model.Field{{Name: "f", Type: model.Float}})
	must(t, err)
	return s, g
}

func TestChangesFailInTimeWhileTheStoreIsAwayAndReadsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		s, g := written(t, kv, vfs.NewMem())
		kv.SetAway(true)
		for what, call := range map[string]func(context.Context) error{
			"create database":    func(ctx context.Context) error { return s.CreateDatabase(ctx, "x", nil) },
			"create existing":    func(ctx context.Context) error { return s.CreateDatabase(ctx, "db", nil) },
			"drop database":      func(ctx context.Context) error { return s.DropDatabase(ctx, "db") },
			"unknown database":   func(ctx context.Context) error { _, err := s.Database(ctx, "x"); return err },
			"unknown policy":     func(ctx context.Context) error { _, _, err := s.Policy(ctx, "db", "x"); return err },
			"refresh":            s.Refresh,
			"group of new time":  func(ctx context.Context) error { _, err := s.EnsureGroup(ctx, g.Policy, 1<<60); return err },
			"field that is new":  func(ctx context.Context) error { return ensure(ctx, s, g, "new", model.Float) },
			"acquire of a lease": func(ctx context.Context) error { _, err := s.Acquire(ctx, "x", time.Minute); return err },
		} {
			began := time.Now()
			err := call(t.Context())
			if !errors.Is(err, model.ErrUnavailable) || err.Error() != "metadata store unavailable" {
				t.Errorf("%s: %v", what, err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s took %s", what, took)
			}
		}
		began := time.Now()
		_, err := s.Database(t.Context(), "db")
		must(t, err)
		_, err = s.EnsureGroup(t.Context(), g.Policy, 5)
		must(t, err)
		must(t, ensure(t.Context(), s, g, "f", model.Float))
		if took := time.Since(began); took != 0 {
			t.Errorf("what is known took %s", took)
		}

		kv.SetAway(false)
		must(t, s.CreateDatabase(t.Context(), "x", nil))
	})
}

func ensure(ctx context.Context, s *meta.Store, g *meta.ShardGroup, name string, kind model.FieldType) error {
	_, err := s.EnsureFields(ctx, g.ID, "m", []model.Field{{Name: name, Type: kind}})
	return err
}

func TestCallerThatGoesAwaySeesItsOwnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		s, _ := written(t, kv, vfs.NewMem())
		kv.SetAway(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.CreateDatabase(ctx, "x", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("create with a context of one second: %v", err)
		}
	})
}

func TestStoreStartsFromItsCopyWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv, fs := metatest.NewMemory(), vfs.NewMem()
		s, g := written(t, kv, fs)
		before := s.Snapshot()
		must(t, s.Close())
		kv.SetAway(true)

		s = metatest.OpenStoreIn(t, kv, fs, "n")
		now := s.Snapshot()
		if now.Revision() < before.Revision() || now.HashSeed() != before.HashSeed() || now.Database("db") == nil || len(now.Nodes()) != 1 {
			t.Errorf("snapshot from disk: revision %d of %d, databases %v", now.Revision(), before.Revision(), now.Databases())
		}
		if got := now.Group(g.Policy, 0); got == nil || got.ID != g.ID || !slices.EqualFunc(got.Shards, g.Shards, sameShard) {
			t.Errorf("group from disk: %+v, want %+v", got, g)
		}
		must(t, ensure(t.Context(), s, g, "f", model.Float))
		if err := ensure(t.Context(), s, g, "new", model.Float); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("new field: %v", err)
		}

		kv.SetAway(false)
		must(t, ensure(t.Context(), s, g, "new", model.Integer))
		must(t, s.CreateDatabase(t.Context(), "later", nil))
	})
}

func sameShard(a, b meta.Shard) bool {
	return a.ID == b.ID && a.Revision == b.Revision && slices.Equal(a.Owners, b.Owners)
}

func TestNewDirectoryDoesNotStartWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		kv.SetAway(true)
		_, err := meta.Open(t.Context(), kv, vfs.NewMem(), "meta", meta.DefaultConfig(), quiet, nil)
		if !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("open: %v", err)
		}
	})
}

func TestCopyThatCouldNotBeWrittenIsWrittenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv, disk := metatest.NewMemory(), vfs.NewMem()
		var full atomic.Bool
		s, _ := written(t, kv, vfs.NewFailing(disk, func(op vfs.Op) error {
			if full.Load() && op.Kind == vfs.OpWrite {
				return errors.New("disk full")
			}
			return nil
		}))
		time.Sleep(10 * time.Second) // of the bubble: copies are a second apart
		full.Store(true)
		must(t, s.CreateDatabase(t.Context(), "last", nil))
		time.Sleep(10 * time.Second)
		full.Store(false)
		time.Sleep(10 * time.Second)
		left := disk.CrashClone(func() bool { return false })
		must(t, s.Close())
		kv.SetAway(true)
		if metatest.OpenStoreIn(t, kv, left, "n").Snapshot().Database("last") == nil {
			t.Error("the copy on disk lacks the last change")
		}
	})
}

func TestDamagedCopyIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv, fs := metatest.NewMemory(), vfs.NewMem()
		s, _ := written(t, kv, fs)
		must(t, s.Close())
		f, err := fs.OpenAppend("meta/snapshot")
		must(t, err)
		_, err = f.Write([]byte("{}\n"))
		must(t, err)
		must(t, f.Close())
		kv.SetAway(true)
		if _, err := meta.Open(t.Context(), kv, fs, "meta", meta.DefaultConfig(), quiet, nil); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("open with a damaged copy: %v", err)
		}
		kv.SetAway(false)
		metatest.OpenStoreIn(t, kv, fs, "n")
	})
}

func TestGarbageInTheStoreIsLeftAsideAndNothingVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv, fs := metatest.NewMemory(), vfs.NewMem()
		s, g := written(t, kv, fs)
		items, _, err := kv.Range(t.Context(), root)
		must(t, err)
		kinds := 0
		for _, item := range items {
			kind, _, _ := strings.Cut(strings.TrimPrefix(item.Key, root), "/")
			if kind == "changed" || kind == "names" || kind == "alive" {
				continue // their values are never read
			}
			kinds++
			for _, garbage := range []string{"", "x", "{}", `{"format":2}`, `{"format":1}`, `[1]`, "\xff"} {
				_, _, err := kv.Txn(t.Context(), nil, []meta.Op{meta.Put(item.Key, []byte(garbage))})
				must(t, err)
				synctest.Wait()
				now := s.Snapshot()
				kind, ok := now.FieldType(g.ID, "m", "f")
				if now.Database("db") == nil || now.Group(g.Policy, 0) == nil || !ok || kind != model.Float || len(now.Nodes()) != 1 {
					t.Errorf("%s = %q: something vanished", item.Key, garbage)
				}
				_, _, err = kv.Txn(t.Context(), nil, []meta.Op{meta.Put(item.Key, item.Value)})
				must(t, err)
			}
		}
		if kinds != 6 {
			t.Errorf("%d keys were tried, want one of each of 6 kinds", kinds)
		}
		must(t, s.Refresh(t.Context()))
		must(t, s.CreateDatabase(t.Context(), "still works", nil))

		key := root + "databases/0000000000000001"
		for _, item := range items {
			if strings.HasPrefix(item.Key, root+"databases/") {
				key = item.Key
			}
		}
		must(t, s.Close())
		_, _, err = kv.Txn(t.Context(), nil, []meta.Op{meta.Put(key, []byte("x"))})
		must(t, err)
		_, err = meta.Open(t.Context(), kv, vfs.NewMem(), "meta", meta.DefaultConfig(), quiet, nil)
		if !errors.Is(err, model.ErrCorrupt) || !strings.Contains(err.Error(), key) {
			t.Errorf("open on a garbage database without a copy: %v, want an error that names %s", err, key)
		}
	})
}

func TestStoreStartsFromItsCopyWhereTheStoreHoldsGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv, fs := metatest.NewMemory(), vfs.NewMem()
		s, g := written(t, kv, fs)
		key := root + "databases/0000000000000002"
		good, ok, err := kv.Get(t.Context(), key)
		if err != nil || !ok {
			t.Fatalf("%s: %v, %v", key, ok, err)
		}
		put := func(value string) {
			_, _, err := kv.Txn(t.Context(), nil, []meta.Op{meta.Put(key, []byte(value))})
			must(t, err)
		}
		// It is there while the node runs, so that the copy is of the revision
		// that the garbage has.
		put("x")
		synctest.Wait()
		must(t, s.Close())

		s = metatest.OpenStoreIn(t, kv, fs, "n")
		time.Sleep(time.Minute) // of the bubble
		if s.Snapshot().Database("db") == nil || s.Snapshot().Group(g.Policy, 0) == nil {
			t.Error("something vanished")
		}
		if !s.Away() {
			t.Error("the copy of the metadata passes for the present, though it says of nobody that they are alive")
		}
		put(string(good.Value))
		must(t, s.CreateDatabase(t.Context(), "later", nil))
		time.Sleep(10 * time.Second)
		if s.Away() || !s.Snapshot().Alive(s.Self()) {
			t.Errorf("away %v, alive %v after the value was mended", s.Away(), s.Snapshot().Alive(s.Self()))
		}
		must(t, s.Close())

		put(`{"format":2}`)
		if _, err := meta.Open(t.Context(), kv, fs, "meta", meta.DefaultConfig(), quiet, nil); !errors.Is(err, model.ErrCorrupt) || !strings.Contains(err.Error(), key) {
			t.Errorf("open on a value of a newer server: %v, want an error that names %s", err, key)
		}
	})
}

func TestCopiedTypesAreConfirmedOrReplacedByTheirFirstUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		s, g := written(t, kv, vfs.NewMem())
		must(t, ensure(t.Context(), s, g, "g", model.Float))
		must(t, ensure(t.Context(), s, g, "unused", model.Float))
		next, err := s.Succeed(t.Context(), meta.Fence{}, g.ID)
		must(t, err)
		if s.Snapshot().InUse(next.ID) {
			t.Error("a group with copies only is in use")
		}
		agreed, err := s.EnsureFields(t.Context(), next.ID, "m", []model.Field{{Name: "f", Type: model.Float}, {Name: "g", Type: model.Integer}})
		must(t, err)
		if want := []model.Field{{Name: "f", Type: model.Float}, {Name: "g", Type: model.Integer}}; !slices.Equal(agreed, want) {
			t.Errorf("first use of copied types: %v, want %v", agreed, want)
		}
		agreed, err = s.EnsureFields(t.Context(), next.ID, "m", []model.Field{{Name: "g", Type: model.Float}})
		must(t, err)
		if agreed[0].Type != model.Integer {
			t.Errorf("second use of a replaced type: %v, want integer", agreed[0].Type)
		}
		if got := s.Snapshot().Fields(next.ID, "m"); len(got) != 2 {
			t.Errorf("fields that something was written with: %v, want f and g", got)
		}
		third, err := s.Succeed(t.Context(), meta.Fence{}, next.ID)
		must(t, err)
		if _, ok := s.Snapshot().FieldType(third.ID, "m", "unused"); ok {
			t.Error("a type that nothing used in a whole group was copied on")
		}

		kv.SetAway(true)
		began := time.Now()
		for range 3 {
			agreed, err = s.EnsureFields(t.Context(), third.ID, "m", []model.Field{{Name: "f", Type: model.Integer}})
			must(t, err)
			if agreed[0].Type != model.Float {
				t.Errorf("copied type with the store away: %v, want float", agreed[0].Type)
			}
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("three writes over a boundary with the store away took %s, want at most one wait", took)
		}
	})
}

func TestKnownFieldsCostNoAllocation(t *testing.T) {
	s, g := written(t, metatest.NewMemory(), vfs.NewMem())
	fields := []model.Field{{Name: "f", Type: model.Float}}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.EnsureFields(t.Context(), g.ID, "m", fields); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestMeasurementWithTooManyFieldsIsRefused(t *testing.T) {
	s, g := written(t, metatest.NewMemory(), vfs.NewMem())
	if err := ensure(t.Context(), s, g, strings.Repeat("x", 2<<20), model.Float); !errors.Is(err, model.ErrTooLarge) {
		t.Errorf("a field name of 2 MiB: %v", err)
	}
}

func TestDirectoryWhoseStoreWasEmptiedIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	s, _ := written(t, metatest.NewMemory(), fs)
	must(t, s.Close())
	_, err := meta.Open(t.Context(), metatest.NewMemory(), fs, "meta", meta.DefaultConfig(), quiet, nil)
	if !errors.Is(err, model.ErrConflict) || !strings.Contains(err.Error(), "holds no cluster") {
		t.Errorf("open: %v", err)
	}
}

// A crash at any file operation leaves a directory that opens again, and in
// which nothing has two identities: at most one node is there for it, and one
// that was told to its caller keeps its id.
func TestDirectorySurvivesACrashAtAnyOperation(t *testing.T) {
	kv, fs := metatest.NewMemory(), vfs.NewMem()
	var registered atomic.Uint64
	type crash struct {
		fs         *vfs.Mem
		etcd       []meta.Item
		registered uint64
	}
	var crashes []crash
	var lock sync.Mutex
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	failing := vfs.NewFailing(fs, func(vfs.Op) error {
		lock.Lock()
		defer lock.Unlock()
		items, _, err := kv.Range(t.Context(), root)
		must(t, err)
		for _, keep := range []func() bool{nil, func() bool { return chance.IntN(2) == 0 }} {
			crashes = append(crashes, crash{fs.CrashClone(keep), items, registered.Load()})
		}
		return nil
	})
	s := metatest.OpenStoreIn(t, kv, failing, "n")
	registered.Store(s.Snapshot().Nodes()[0].ID)
	must(t, s.CreateDatabase(t.Context(), "db", nil))
	must(t, s.Close())
	t.Logf("%d crashes", len(crashes))
	if len(crashes) < 20 {
		t.Fatalf("%d crashes, want at least 20", len(crashes))
	}
	for i, c := range crashes {
		s, err := meta.Open(t.Context(), restored(t, c.etcd), c.fs, "meta", meta.DefaultConfig(), quiet, nil)
		if err != nil {
			t.Errorf("crash %d: open: %v", i, err)
			continue
		}
		n, err := s.RegisterNode(t.Context(), meta.NodeSpec{Name: "n", Roles: []meta.Role{meta.RoleData}, Version: "test"})
		switch {
		case err == nil && c.registered != 0 && n.ID != c.registered:
			t.Errorf("crash %d: node %d came back as %d", i, c.registered, n.ID)
		case err != nil && c.registered != 0:
			t.Errorf("crash %d: node %d cannot come back: %v", i, c.registered, err)
		}
		must(t, s.Close())
	}
}

// restored gives a store with these keys, but for those of leases.
func restored(t *testing.T, items []meta.Item) meta.KV {
	t.Helper()
	kv := metatest.NewMemory()
	for _, item := range items {
		if !strings.HasPrefix(item.Key, root+"alive/") {
			_, _, err := kv.Txn(t.Context(), nil, []meta.Op{meta.Put(item.Key, item.Value)})
			must(t, err)
		}
	}
	return kv
}
