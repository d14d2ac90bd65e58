package meta_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
)

// node opens a Store in the directory "meta" of fs and registers it.
func node(t *testing.T, kv meta.KV, fs vfs.FS, spec meta.NodeSpec) (*meta.Store, error) {
	t.Helper()
	s, err := meta.Open(t.Context(), kv, fs, "meta", meta.DefaultConfig(), quiet, nil)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { s.Close() })
	_, err = s.RegisterNode(t.Context(), spec)
	return s, err
}

func dataNode(name string) meta.NodeSpec {
	return meta.NodeSpec{Name: name, Roles: []meta.Role{meta.RoleData}, Version: "test"}
}

// copied gives a copy of the directory of a Store.
func copied(t *testing.T, from vfs.FS) vfs.FS {
	t.Helper()
	to := vfs.NewMem()
	must(t, to.MkdirAll("meta"))
	in, err := from.Open("meta/node.json")
	must(t, err)
	b, err := io.ReadAll(in)
	must(t, err)
	out, err := to.Create("meta/node.json")
	must(t, err)
	_, err = out.Write(b)
	must(t, err)
	must(t, errors.Join(out.Sync(), out.Close(), in.Close(), to.SyncDir("meta")))
	return to
}

func TestNodeThatIsCutOffIsMissedAfterItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		way := kv.View()
		a := metatest.OpenStore(t, kv, "a")
		b := metatest.OpenStore(t, way, "b")
		time.Sleep(time.Minute)
		if !a.Snapshot().Alive(b.Self()) || a.Away() || b.Away() {
			t.Fatal("after a quiet minute a node is missed, or the store is away")
		}
		way.SetAway(true)
		time.Sleep(1500 * time.Millisecond) // the last renewal may be a second old
		if !a.Snapshot().Alive(b.Self()) {
			t.Error("a node is missed after 1.5 s")
		}
		time.Sleep(2500 * time.Millisecond)
		if a.Snapshot().Alive(b.Self()) || a.Away() {
			t.Error("a node that was cut off 4 s ago is not missed")
		}
		if !b.Away() {
			t.Error("a node that was cut off 4 s ago believes its snapshot")
		}
		way.SetAway(false)
		time.Sleep(5 * time.Second)
		if !a.Snapshot().Alive(b.Self()) || b.Away() {
			t.Error("the node is not seen again")
		}
		must(t, b.Close())
		synctest.Wait()
		if a.Snapshot().Alive(b.Self()) {
			t.Error("a node that closed is not missed at once")
		}
	})
}

func TestStoreThatIsAwayForEverybodyMissesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		a, b := metatest.OpenStore(t, kv, "a"), metatest.OpenStore(t, kv, "b")
		kv.SetAway(true)
		time.Sleep(time.Minute)
		if !a.Away() || !b.Away() {
			t.Error("the snapshots count as complete")
		}
		kv.SetAway(false)
		for range 20 {
			time.Sleep(time.Second)
			if !a.Snapshot().Alive(b.Self()) || !b.Snapshot().Alive(a.Self()) {
				t.Fatal("a node that lives is missed")
			}
		}
		if a.Away() || b.Away() {
			t.Error("the snapshots do not count as complete again")
		}
	})
}

func TestOldCopyOfADirectoryIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv, fs := metatest.NewMemory(), vfs.NewMem()
		must(t, metatest.OpenStoreIn(t, kv, fs, "n").Close())
		old := copied(t, fs)
		must(t, metatest.OpenStoreIn(t, kv, fs, "n").Close())
		_, err := node(t, kv, old, dataNode("n"))
		if !errors.Is(err, model.ErrConflict) || !strings.Contains(err.Error(), "old copy") {
			t.Errorf("a copy that is one start behind: %v", err)
		}
		if _, err := node(t, kv, fs, dataNode("n")); err != nil {
			t.Errorf("the directory itself: %v", err)
		}
	})
}

func TestNodeEndsWhenACopyOfItsDirectoryStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv, fs := metatest.NewMemory(), vfs.NewMem()
		first := metatest.OpenStoreIn(t, kv, fs, "n")
		second, err := node(t, kv, copied(t, fs), dataNode("n"))
		must(t, err)
		wantExpelled(t, first, "copy of its directory")
		select {
		case err := <-second.Expelled():
			t.Errorf("the later start is expelled, too: %v", err)
		case <-time.After(10 * time.Second):
		}
	})
}

func wantExpelled(t *testing.T, s *meta.Store, why string) {
	t.Helper()
	select {
	case err := <-s.Expelled():
		if !errors.Is(err, model.ErrConflict) || !strings.Contains(err.Error(), why) {
			t.Errorf("expelled: %v, want %q", err, why)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("not expelled, want %q", why)
	}
}

func TestStartIsToldOnceTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv, fs := metatest.NewMemory(), vfs.NewMem()
		other := metatest.OpenStore(t, kv, "other")
		must(t, metatest.OpenStoreIn(t, kv, fs, "n").Close())
		kv.SetAway(true)
		spec := dataNode("n")
		spec.Addresses.RPC = "10.0.0.9:8088"
		s, err := node(t, kv, fs, spec)
		must(t, err)
		kv.SetAway(false)
		time.Sleep(10 * time.Second)
		n := other.Snapshot().Node(s.Self())
		if n.Starts != 2 || n.Addresses != spec.Addresses || !other.Snapshot().Alive(s.Self()) {
			t.Errorf("the others see %+v, alive %v", n, other.Snapshot().Alive(s.Self()))
		}

		// The same, for a directory that may not come back.
		old := copied(t, fs)
		must(t, s.Close())
		must(t, metatest.OpenStoreIn(t, kv, fs, "n").Close())
		snapshot, err := fs.Open("meta/snapshot")
		must(t, err)
		b, err := io.ReadAll(snapshot)
		must(t, err)
		to, err := old.Create("meta/snapshot")
		must(t, err)
		_, err = to.Write(b)
		must(t, errors.Join(err, to.Close(), snapshot.Close()))
		kv.SetAway(true)
		s, err = node(t, kv, old, spec)
		must(t, err)
		kv.SetAway(false)
		wantExpelled(t, s, "old copy")
	})
}

func TestRemovedNodeEndsAndIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv, fs := metatest.NewMemory(), vfs.NewMem()
		a := metatest.OpenStore(t, kv, "a")
		b := metatest.OpenStoreIn(t, kv, fs, "b")
		must(t, a.CreateDatabase(t.Context(), "db", nil))
		_, err := a.EnsureGroup(t.Context(), a.Snapshot().Database("db").Policy("").UID, 0)
		must(t, err)
		if err := a.RemoveNode(t.Context(), b.Self()); !errors.Is(err, model.ErrConflict) || !strings.Contains(err.Error(), "owns 1 shards") {
			t.Errorf("removal of an owner: %v", err)
		}
		must(t, a.DropDatabase(t.Context(), "db"))
		must(t, a.RemoveNode(t.Context(), b.Self()))
		wantExpelled(t, b, "was removed")
		must(t, b.Close())
		if _, err := node(t, kv, fs, dataNode("b")); !errors.Is(err, model.ErrConflict) {
			t.Errorf("start of a removed node: %v", err)
		}
	})
}

func TestNameOfALivingNodeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		metatest.OpenStore(t, kv, "n")
		began := time.Now()
		_, err := node(t, kv, vfs.NewMem(), dataNode("n"))
		if !errors.Is(err, model.ErrConflict) || !strings.Contains(err.Error(), "alive") {
			t.Errorf("a name that a living node has: %v", err)
		}
		t.Logf("refused after %s", time.Since(began))
	})
}

// A node that was killed looks alive until its lease ends; then the wiped one
// that was started meanwhile takes its place.
func TestWipedNodeWaitsForTheLeaseOfTheOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		way := kv.View()
		killed, err := node(t, way, vfs.NewMem(), dataNode("n"))
		must(t, err)
		must(t, killed.LabelNode(t.Context(), killed.Self(), map[string]string{meta.LabelZone: "east"}))
		way.SetAway(true)
		began := time.Now()
		s, err := node(t, kv, vfs.NewMem(), dataNode("n"))
		must(t, err)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it took %s", took)
		}
		now := s.Snapshot()
		if now.Node(killed.Self()) != nil || len(now.Nodes()) != 1 || now.Nodes()[0].Labels[meta.LabelZone] != "east" {
			t.Errorf("nodes: %+v", now.Nodes())
		}
	})
}

// deaf hears nothing of changes for a while.
type deaf struct {
	meta.KV
	until time.Time
}

func (d *deaf) Watch(ctx context.Context, prefix string, from int64) <-chan meta.Changes {
	out := make(chan meta.Changes)
	go func() {
		defer close(out)
		select {
		case <-time.After(time.Until(d.until)):
		case <-ctx.Done():
		}
		for c := range d.KV.Watch(ctx, prefix, from) {
			select {
			case out <- c:
			case <-ctx.Done():
			}
		}
	}()
	return out
}

// That the old one is alive is not to be believed while the watch is broken.
func TestWipedNodeWaitsForTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		way := kv.View()
		_, err := node(t, way, vfs.NewMem(), dataNode("n"))
		must(t, err)
		way.SetAway(true)
		_, err = node(t, &deaf{KV: kv, until: time.Now().Add(30 * time.Second)}, vfs.NewMem(), dataNode("n"))
		must(t, err)
	})
}

// errCut is of transactions after which a process is gone.
var errCut = errors.New("cut")

// limited lets a number of transactions through.
type limited struct {
	meta.KV
	left int
}

func (l *limited) Txn(ctx context.Context, when []meta.Condition, ops []meta.Op) (bool, int64, error) {
	if l.left--; l.left < 0 {
		return false, 0, errCut
	}
	return l.KV.Txn(ctx, when, ops)
}

// Cut short after any transaction, by the loss of the directory or not, taking
// a place is finished by the next start.
func TestTakingAPlaceMayBeCutShort(t *testing.T) {
	for cut := range 6 {
		for _, wiped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d wiped %v", cut, wiped), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					kv := metatest.NewMemory()
					a, b := metatest.OpenStore(t, kv, "a"), metatest.OpenStore(t, kv, "b")
					must(t, a.Refresh(t.Context()))
					must(t, a.CreateDatabase(t.Context(), "db", nil))
					policy := a.Snapshot().Database("db").Policy("").UID
					for i := range meta.MaxOps + 10 {
						_, err := a.EnsureGroup(t.Context(), policy, int64(i)*int64(7*day))
						must(t, err)
					}
					must(t, b.Close())

					fs := vfs.NewMem()
					s, err := meta.Open(t.Context(), &limited{kv, cut}, fs, "meta", meta.DefaultConfig(), quiet, nil)
					must(t, err)
					_, err = s.RegisterNode(t.Context(), dataNode("b"))
					t.Logf("cut after %d transactions: %v", cut, err)
					must(t, s.Close())
					time.Sleep(10 * time.Second)
					if wiped {
						fs = vfs.NewMem()
					}
					s, err = node(t, kv, fs, dataNode("b"))
					must(t, err)
					time.Sleep(5 * time.Second)
					for _, g := range s.Snapshot().Groups(policy, model.AllTime) {
						for _, sh := range g.Shards {
							if !slices.Contains(sh.Owners, meta.Owner{Node: a.Self(), State: meta.Active}) ||
								!slices.Contains(sh.Owners, meta.Owner{Node: s.Self(), State: meta.Joining}) || len(sh.Owners) != 2 {
								t.Fatalf("owners of shard %d: %v, nodes %d and %d", sh.ID, sh.Owners, a.Self(), s.Self())
							}
						}
					}
					if n := s.Snapshot().Nodes(); len(n) != 2 {
						t.Errorf("nodes: %+v", n)
					}
				})
			})
		}
	}
}

func TestFactorFollowsTheNodesThatTakeData(t *testing.T) {
	kv := metatest.NewMemory()
	s := metatest.OpenStore(t, kv, "n1")
	two := 2
	must(t, s.CreateDatabase(t.Context(), "auto", nil))
	must(t, s.CreateDatabase(t.Context(), "fixed", &meta.PolicySpec{Replicas: &two}))
	factors := func() [2]int {
		must(t, s.Refresh(t.Context()))
		now := s.Snapshot()
		return [2]int{now.Factor(now.Database("auto").Policy("")), now.Factor(now.Database("fixed").Policy(""))}
	}
	for i, want := range []int{1, 2, 3, 3} {
		if got := factors(); got != [2]int{want, 2} {
			t.Errorf("with %d nodes: %v, want %d and 2", i+1, got, want)
		}
		metatest.OpenStore(t, kv, fmt.Sprint("n", i+2))
	}
	must(t, s.Refresh(t.Context()))
	nodes := s.Snapshot().Nodes()
	for _, n := range nodes[2:] {
		must(t, s.SetDraining(t.Context(), n.ID, true))
	}
	if got := factors(); got[0] != 2 {
		t.Errorf("with all but two nodes draining: %v", got)
	}
	must(t, s.CreatePolicy(t.Context(), "auto", spec("autogen", 0, 0, 2), false)) // what it says is so already
	three := 3
	must(t, s.AlterPolicy(t.Context(), "auto", "autogen", meta.PolicyUpdate{Replicas: &three}))
	if got := factors(); got[0] != 3 {
		t.Errorf("after an explicit change: %v", got)
	}
	zero := 0
	if err := s.AlterPolicy(t.Context(), "auto", "autogen", meta.PolicyUpdate{Replicas: &zero}); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("replication 0: %v", err)
	}
}

func TestLabelsAreChecked(t *testing.T) {
	s := metatest.OpenStore(t, metatest.NewMemory(), "n")
	label := func(l map[string]string) error { return s.LabelNode(t.Context(), s.Self(), l) }
	must(t, label(map[string]string{"zone": "a", "rack": "1"}))
	must(t, label(map[string]string{"rack": ""}))
	if got := s.Snapshot().Node(s.Self()).Labels; len(got) != 1 || got["zone"] != "a" {
		t.Errorf("labels: %v", got)
	}
	for _, bad := range []map[string]string{{"": "x"}, {"a/b": "x"}, {"x": strings.Repeat("x", 300)}, {"x": "\xff"}} {
		if err := label(bad); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("label %q: %v", bad, err)
		}
	}
	if err := s.LabelNode(t.Context(), 999, nil); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("label of no node: %v", err)
	}
}
