package control

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
)

// run starts a Controller that lives until stop is called.
func run(t *testing.T, s *meta.Store) (stop func()) {
	t.Helper()
	c, err := New(s, DefaultConfig(), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func open(t *testing.T, kv meta.KV, name string) *meta.Store {
	t.Helper()
	return metatest.OpenStore(t, kv, name)
}

// visit opens a Store that is no node.
func visit(t *testing.T, kv meta.KV) *meta.Store {
	t.Helper()
	s, err := meta.Open(t.Context(), kv, vfs.NewMem(), "meta", meta.DefaultConfig(), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// written makes a database "db" with a policy of these durations, a group
// that holds now, and a field in it. It gives the policy's uid and the group.
func written(t *testing.T, s *meta.Store, duration, shard time.Duration) (uint64, *meta.ShardGroup) {
	t.Helper()
	spec := &meta.PolicySpec{Duration: &duration, ShardDuration: shard}
	if err := s.CreateDatabase(t.Context(), "db", spec); err != nil {
		t.Fatal(err)
	}
	policy := s.Snapshot().Database("db").Policy("").UID
	return policy, write(t, s, policy)
}

func write(t *testing.T, s *meta.Store, policy uint64) *meta.ShardGroup {
	t.Helper()
	g, err := s.EnsureGroup(t.Context(), policy, time.Now().UnixNano())
	if err != nil {
		t.Fatal(err)
	}
	fields := []model.Field{{Name: "f", Type: model.Float}}
	if _, err := s.EnsureFields(t.Context(), g.ID, "m", fields); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestControllerMarksExpiredGroupsDeletedAndForgetsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		node := open(t, kv, "n")
		_, g := written(t, node, 2*time.Hour, time.Hour)
		if err := node.Close(); err != nil { // two weeks of its signs of life take long
			t.Fatal(err)
		}
		s := visit(t, kv)
		stop := run(t, s)
		expires := time.Unix(0, g.End).Add(2 * time.Hour)

		time.Sleep(time.Until(expires) - time.Minute)
		if now := s.Snapshot().GroupByID(g.ID); !now.Live() {
			t.Fatalf("deleted at %s, %s early", time.Unix(0, now.DeletedAt), time.Until(expires))
		}
		time.Sleep(time.Hour)
		if now := s.Snapshot().GroupByID(g.ID); now == nil || now.Live() {
			t.Fatalf("group an hour after its time: %+v", now)
		}
		stop()
		s.Close()
		time.Sleep(15 * 24 * time.Hour)
		s = visit(t, kv)
		defer s.Close()
		defer run(t, s)()
		time.Sleep(time.Minute)
		if now := s.Snapshot().GroupByID(g.ID); now != nil {
			t.Errorf("group 15 days after it was deleted: %+v", now)
		}
		if left := s.Snapshot().Orphans(); len(left) > 0 {
			t.Errorf("schemas without a group: %v", left)
		}
	})
}

func TestControllerMakesTheNextGroupWithItsTypesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, metatest.NewMemory(), "n")
		policy, g := written(t, s, 0, 7*24*time.Hour)
		defer run(t, s)()

		time.Sleep(time.Until(time.Unix(0, g.End)) - 25*time.Hour)
		if next := s.Snapshot().Group(policy, g.End); next != nil {
			t.Fatalf("the next group was there 25 hours ahead: %+v", next)
		}
		time.Sleep(2 * time.Hour)
		next := s.Snapshot().Group(policy, g.End)
		if next == nil {
			t.Fatal("there is no next group 23 hours before its time")
		}
		// What comes into use later is made known there, too.
		later := []model.Field{{Name: "later", Type: model.String}}
		for _, m := range []string{"m", "another"} {
			if _, err := s.EnsureFields(t.Context(), g.ID, m, later); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(11 * time.Minute)
		for _, want := range []struct {
			measurement, field string
			kind               model.FieldType
		}{{"m", "f", model.Float}, {"m", "later", model.String}, {"another", "later", model.String}} {
			if kind, ok := s.Snapshot().FieldType(next.ID, want.measurement, want.field); !ok || kind != want.kind {
				t.Errorf("type of %s in %s in the next group: %v, %v", want.field, want.measurement, kind, ok)
			}
		}
		if fields := s.Snapshot().Fields(next.ID, "m"); len(fields) > 0 {
			t.Errorf("fields that nothing was written with are shown: %v", fields)
		}
		time.Sleep(8 * 24 * time.Hour)
		if n := len(s.Snapshot().Groups(policy, model.AllTime)); n != 2 {
			t.Errorf("%d groups though nothing was written since, want 2", n)
		}
	})
}

func TestOneControllerActsAndAnotherTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		a, b := open(t, kv, "a"), open(t, kv, "b")
		policy, g := written(t, a, 0, time.Hour)
		stopA := run(t, a)
		time.Sleep(time.Second)
		defer run(t, b)()
		time.Sleep(time.Minute)
		stopA()
		time.Sleep(time.Until(time.Unix(0, g.End)))
		if b.Snapshot().Group(policy, g.End) == nil {
			t.Error("nobody made the next group after the first controller had stopped")
		}
	})
}

func TestControllerGoesOnAfterTheStoreWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		s := open(t, kv, "n")
		policy, g := written(t, s, 0, time.Hour)
		defer run(t, s)()
		time.Sleep(time.Minute)
		kv.SetAway(true)
		time.Sleep(time.Until(time.Unix(0, g.End)) - 20*time.Minute)
		kv.SetAway(false)
		time.Sleep(15 * time.Minute)
		if s.Snapshot().Group(policy, g.End) == nil {
			t.Error("there is no next group 5 minutes before its time")
		}
	})
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"retention-check-interval: must be at least 1s, not 0s": func(c *Config) { c.RetentionInterval = 0 },
		"precreate-check-interval: must be at least 1s, not 0s": func(c *Config) { c.PrecreateInterval = 0 },
		"precreate-advance-period: must be greater than precreate-check-interval, 10m0s, not 1m0s": func(c *Config) {
			c.PrecreateAhead = time.Minute
		},
		"replace-after: must be at least 1s, not 0s":               func(c *Config) { c.ReplaceAfter = 0 },
		"moves-per-node: must be at least 1, not 0":                func(c *Config) { c.MovesPerNode = 0 },
		"moves-at-once: must be at least moves-per-node, 2, not 1": func(c *Config) { c.MovesAtOnce = 1 },
	} {
		c := DefaultConfig()
		if err := c.Validate(); err != nil {
			t.Fatalf("default: %v", err)
		}
		change(&c)
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("validate: %v, want %s", err, want)
		}
	}
}

func TestGroupThatCannotBeDeletedHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := &stubborn{KV: metatest.NewMemory()}
		node := open(t, kv, "n")
		policy, first := written(t, node, 2*time.Hour, time.Hour)
		second, err := node.EnsureGroup(t.Context(), policy, first.End)
		if err != nil {
			t.Fatal(err)
		}
		kv.key.Store(time.Unix(0, first.Start).UTC().Format(time.RFC3339Nano))
		defer run(t, node)()
		time.Sleep(time.Until(time.Unix(0, second.End)) + 4*time.Hour)
		if g := node.Snapshot().GroupByID(first.ID); !g.Live() {
			t.Error("the stubborn group was deleted")
		}
		if g := node.Snapshot().GroupByID(second.ID); g.Live() {
			t.Error("the group after the stubborn one is not marked deleted")
		}
	})
}

// stubborn is a KV that lets nothing change a key with that end.
type stubborn struct {
	meta.KV
	key atomic.Value // string
}

func (s *stubborn) Txn(ctx context.Context, when []meta.Condition, ops []meta.Op) (bool, int64, error) {
	for _, op := range ops {
		if end, ok := s.key.Load().(string); ok && strings.HasSuffix(op.Key, end) {
			return false, 1, nil // as if another change had come first
		}
	}
	return s.KV.Txn(ctx, when, ops)
}
