package metatest

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// Run says what a meta.KV promises, and what a Store does on it. open gives an
// empty one for each test.
func Run(t *testing.T, open func(t *testing.T) meta.KV) {
	for name, test := range map[string]func(*testing.T, meta.KV){
		"TxnAppliesOnlyWhenConditionsHold":     txnAppliesOnlyWhenConditionsHold,
		"TxnDeletesByPrefix":                   txnDeletesByPrefix,
		"WatchSendsEachRevisionOnceInOrder":    watchSendsEachRevisionOnceInOrder,
		"RevokedLeaseRemovesItsKeys":           revokedLeaseRemovesItsKeys,
		"RevisionsGrowOnlyByChanges":           revisionsGrowOnlyByChanges,
		"StoresSeeEachOthersChanges":           storesSeeEachOthersChanges,
		"RacingStoresMakeOneGroupPerTime":      racingStoresMakeOneGroupPerTime,
		"RacingStoresMakeManyGroupsOnce":       racingStoresMakeManyGroupsOnce,
		"RacingStoresAgreeOnFieldTypes":        racingStoresAgreeOnFieldTypes,
		"RacingStoresAgreeOnManyMeasurements":  racingStoresAgreeOnManyMeasurements,
		"RacingStoresMakeOneDatabase":          racingStoresMakeOneDatabase,
		"DropRemovesEverythingOfADatabase":     dropRemovesEverythingOfADatabase,
		"LeaseHasOneHolderAndFencesItsActs":    leaseHasOneHolderAndFencesItsActs,
		"SucceedCopiesManyMeasurements":        succeedCopiesManyMeasurements,
		"DirectoryOfAnotherClusterIsRefused":   directoryOfAnotherClusterIsRefused,
		"NodeKeepsItsIDUnderAnotherName":       nodeKeepsItsIDUnderAnotherName,
		"WipedNodeTakesItsOwnPlace":            wipedNodeTakesItsOwnPlace,
		"SecretsExpire":                        secretsExpire,
		"WatchTellsThatOthersChangedSomething": watchTellsThatOthersChangedSomething,
		"StrangeNamesComeBackFromTheirValues":  strangeNamesComeBackFromTheirValues,
		"ContinuousQueriesGoWithTheirDatabase": continuousQueriesGoWithTheirDatabase,
		"RacingStoresMakeOneContinuousQuery":   racingStoresMakeOneContinuousQuery,
		"ProgressIsFencedAndGoesWithItsQuery":  progressIsFencedAndGoesWithItsQuery,
		"SubscriptionsGoWithTheirPolicy":       subscriptionsGoWithTheirPolicy,
		"UsersAreMadeChangedAndDropped":        usersAreMadeChangedAndDropped,
		"GrantsAreOfOneDatabaseNotOfItsName":   grantsAreOfOneDatabaseNotOfItsName,
		"RacingStoresMakeOneUser":              racingStoresMakeOneUser,
		"RacingStoresMakeOneFirstAdmin":        racingStoresMakeOneFirstAdmin,
		"TokensAreMadeForgottenAndRevoked":     tokensAreMadeForgottenAndRevoked,
		"RacingStoresMakeOneToken":             racingStoresMakeOneToken,
		"DroppedShardLeavesOthersInTheirPlace": droppedShardLeavesOthersInTheirPlace,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// OpenStore opens a Store on kv with a directory of its own in memory, with
// one data node registered, and closes it at the end of the test.
func OpenStore(t testing.TB, kv meta.KV, node string) *meta.Store {
	t.Helper()
	return OpenStoreIn(t, kv, vfs.NewMem(), node)
}

// OpenStoreIn does the same with the directory "meta" of fs.
func OpenStoreIn(t testing.TB, kv meta.KV, fs vfs.FS, node string) *meta.Store {
	t.Helper()
	s, err := meta.Open(t.Context(), kv, fs, "meta", meta.DefaultConfig(), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.RegisterNode(t.Context(), meta.NodeSpec{Name: node, Roles: []meta.Role{meta.RoleData}, Version: "test"}); err != nil {
		t.Fatalf("register node: %v", err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func txn(t *testing.T, kv meta.KV, when []meta.Condition, ops ...meta.Op) (bool, int64) {
	t.Helper()
	ok, revision, err := kv.Txn(t.Context(), when, ops)
	must(t, err)
	return ok, revision
}

func txnAppliesOnlyWhenConditionsHold(t *testing.T, kv meta.KV) {
	put := meta.Put("/a", []byte("1"))
	ok, first := txn(t, kv, []meta.Condition{{Key: "/a"}}, put)
	if !ok {
		t.Fatal("create-if-absent of an absent key was refused")
	}
	if ok, _ := txn(t, kv, []meta.Condition{{Key: "/a"}}, put); ok {
		t.Error("create-if-absent of a present key was done")
	}
	ok, second := txn(t, kv, []meta.Condition{{Key: "/a", Revision: first}}, put)
	if !ok || second <= first {
		t.Errorf("change at the right revision: %v at %d after %d", ok, second, first)
	}
	if ok, _ := txn(t, kv, []meta.Condition{{Key: "/a", Revision: first}}, put); ok {
		t.Error("change at an old revision was done")
	}
	if ok, _ := txn(t, kv, []meta.Condition{{Key: "/a", Revision: second}, {Key: "/b", Revision: 7}}, put); ok {
		t.Error("change with one of two conditions was done")
	}
	if ok, _ := txn(t, kv, []meta.Condition{{Key: "/a", Created: true, Revision: first}}, put); !ok {
		t.Error("condition on the revision of creation did not hold")
	}
	txn(t, kv, nil, meta.Delete("/a"))
	if _, found, err := kv.Get(t.Context(), "/a"); found || err != nil {
		t.Errorf("get of a deleted key: %v, %v", found, err)
	}
	_, third := txn(t, kv, []meta.Condition{{Key: "/a"}}, put)
	item, _, err := kv.Get(t.Context(), "/a")
	must(t, err)
	if item.Created != third || item.Modified != third || string(item.Value) != "1" {
		t.Errorf("key made again at %d: %+v", third, item)
	}
}

func txnDeletesByPrefix(t *testing.T, kv meta.KV) {
	txn(t, kv, nil, meta.Put("/a/1", []byte("x")), meta.Put("/a/2", []byte("x")), meta.Put("/b", []byte("x")))
	txn(t, kv, nil, meta.DeletePrefix("/a/"), meta.Put("/b", []byte("y")))
	items, _, err := kv.Range(t.Context(), "/")
	must(t, err)
	if len(items) != 1 || items[0].Key != "/b" || string(items[0].Value) != "y" {
		t.Errorf("after deleting /a/: %+v", items)
	}
}

func watchSendsEachRevisionOnceInOrder(t *testing.T, kv meta.KV) {
	_, from := txn(t, kv, nil, meta.Put("/w/0", []byte("0")))
	txn(t, kv, nil, meta.Put("/w/1", []byte("1")), meta.Put("/w/2", []byte("2")))
	watch := kv.Watch(t.Context(), "/w/", from+1)
	go func() {
		kv.Txn(t.Context(), nil, []meta.Op{meta.Put("/elsewhere", nil)})
		kv.Txn(t.Context(), nil, []meta.Op{meta.Delete("/w/0"), meta.Put("/w/1", []byte("3"))})
	}()
	var got []string
	for len(got) < 4 {
		c, ok := <-watch
		if !ok || c.Err != nil {
			t.Fatalf("watch ended: %v", c.Err)
		}
		if n := len(c.Changes); n == 1 {
			t.Errorf("a revision with two changes was split: %+v", c)
		}
		slices.SortStableFunc(c.Changes, func(a, b meta.Change) int { return int(a.Modified - b.Modified) })
		for _, change := range c.Changes {
			got = append(got, fmt.Sprintf("%s=%s removed=%v", change.Key, change.Value, change.Removed))
			if change.Modified > c.Revision {
				t.Errorf("change at %d told as of revision %d", change.Modified, c.Revision)
			}
		}
	}
	slices.Sort(got)
	want := []string{"/w/0= removed=true", "/w/1=1 removed=false", "/w/1=3 removed=false", "/w/2=2 removed=false"}
	if !slices.Equal(got, want) {
		t.Errorf("watch sent %q, want %q", got, want)
	}
}

func revokedLeaseRemovesItsKeys(t *testing.T, kv meta.KV) {
	lease, err := kv.Grant(t.Context(), time.Minute)
	must(t, err)
	txn(t, kv, nil, meta.Op{Key: "/leased", Value: []byte("x"), Lease: lease}, meta.Put("/kept", []byte("x")))
	must(t, kv.Renew(t.Context(), lease))
	must(t, kv.Revoke(t.Context(), lease))
	if _, found, err := kv.Get(t.Context(), "/leased"); found || err != nil {
		t.Errorf("key of a revoked lease: found %v, %v", found, err)
	}
	if _, found, _ := kv.Get(t.Context(), "/kept"); !found {
		t.Error("a key without a lease went with it")
	}
	if err := kv.Renew(t.Context(), lease); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("renewal of a revoked lease: %v", err)
	}
	if err := kv.Revoke(t.Context(), lease); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("second end of a lease: %v", err)
	}
}

func revisionsGrowOnlyByChanges(t *testing.T, kv meta.KV) {
	_, at := txn(t, kv, nil, meta.Put("/r", []byte("x")))
	_, refused := txn(t, kv, []meta.Condition{{Key: "/r"}}, meta.Put("/r", []byte("y")))
	_, read, err := kv.Range(t.Context(), "/r")
	must(t, err)
	if refused != at || read != at {
		t.Errorf("revision after a put at %d: refused change %d, read %d", at, refused, read)
	}
}

func storesSeeEachOthersChanges(t *testing.T, kv meta.KV) {
	a, b := OpenStore(t, kv, "a"), OpenStore(t, kv, "b")
	if a.Snapshot().HashSeed() != b.Snapshot().HashSeed() || a.Snapshot().ClusterID() != b.Snapshot().ClusterID() {
		t.Fatal("two stores on one etcd are of different clusters")
	}
	for i := range 20 {
		name := fmt.Sprintf("db%d", i)
		must(t, a.CreateDatabase(t.Context(), name, nil))
		if a.Snapshot().Database(name) == nil {
			t.Fatalf("create %s returned before the own snapshot had it", name)
		}
		if _, err := b.Database(t.Context(), name); err != nil {
			t.Fatalf("the other store: %v", err)
		}
	}
	must(t, b.DropDatabase(t.Context(), "db7"))
	must(t, a.Refresh(t.Context()))
	if a.Snapshot().Database("db7") != nil {
		t.Error("a refreshed snapshot has a database that was dropped before")
	}
	_, err := a.Database(t.Context(), "db7")
	if !errors.Is(err, model.ErrNotFound) || err.Error() != "database not found: db7" {
		t.Errorf("database that was dropped: %v", err)
	}
}

func racingStoresMakeOneGroupPerTime(t *testing.T, kv meta.KV) {
	const nodes, times = 4, 12
	stores := make([]*meta.Store, nodes)
	for i := range stores {
		stores[i] = OpenStore(t, kv, fmt.Sprintf("n%d", i))
	}
	must(t, stores[0].CreateDatabase(t.Context(), "db", nil))
	must(t, stores[0].Refresh(t.Context()))
	policy := stores[0].Snapshot().Database("db").Policy("").UID
	week := int64(7 * 24 * time.Hour)

	ids := make([][times]uint64, nodes)
	var wait sync.WaitGroup
	for i, s := range stores {
		wait.Go(func() {
			for j := range times {
				if i == 0 && j == times/2 { // groups must not overlap across a change of their span either
					d := 30 * 24 * time.Hour
					if err := s.AlterPolicy(t.Context(), "db", "autogen", meta.PolicyUpdate{ShardDuration: &d}); err != nil {
						t.Errorf("alter: %v", err)
					}
				}
				g, err := s.EnsureGroup(t.Context(), policy, int64(j)*week)
				if err != nil {
					t.Errorf("ensure group: %v", err)
					return
				}
				ids[i][j] = g.ID
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	for i := range ids {
		if ids[i] != ids[0] {
			t.Errorf("groups of store %d: %v, of store 0: %v", i, ids[i], ids[0])
		}
	}
	must(t, stores[1].Refresh(t.Context()))
	checkGroups(t, stores[1].Snapshot(), policy)
}

func racingStoresMakeManyGroupsOnce(t *testing.T, kv meta.KV) {
	const nodes, groups = 3, 3 * meta.MaxOps
	week := int64(7 * 24 * time.Hour)
	stores := make([]*meta.Store, nodes)
	for i := range stores {
		stores[i] = OpenStore(t, kv, fmt.Sprintf("n%d", i))
	}
	must(t, stores[0].CreateDatabase(t.Context(), "db", nil))
	must(t, stores[0].Refresh(t.Context()))
	policy := stores[0].Snapshot().Database("db").Policy("").UID
	var wait sync.WaitGroup
	for i, s := range stores {
		var times []int64
		for j := range groups {
			if j%nodes != i { // some are asked for by one, most by two
				times = append(times, int64(j)*week, int64(j)*week+1)
			}
		}
		slices.Reverse(times)
		wait.Go(func() {
			if err := s.EnsureGroups(t.Context(), policy, times); err != nil {
				t.Errorf("ensure groups: %v", err)
			}
		})
	}
	wait.Wait()
	must(t, stores[0].Refresh(t.Context()))
	checkGroups(t, stores[0].Snapshot(), policy)
	if n := len(stores[0].Snapshot().Groups(policy, model.AllTime)); n != groups {
		t.Errorf("%d groups, want %d", n, groups)
	}
	if err := stores[0].EnsureGroups(t.Context(), policy, []int64{-week, model.MinTime - 1}); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("a time that cannot be stored gave %v", err)
	}
}

func racingStoresAgreeOnManyMeasurements(t *testing.T, kv meta.KV) {
	const nodes, measurements = 2, 2 * meta.MaxOps
	stores := make([]*meta.Store, nodes)
	for i := range stores {
		stores[i] = OpenStore(t, kv, fmt.Sprintf("n%d", i))
	}
	must(t, stores[0].CreateDatabase(t.Context(), "db", nil))
	g, err := stores[0].EnsureGroup(t.Context(), stores[0].Snapshot().Database("db").Policy("").UID, 0)
	must(t, err)
	must(t, stores[1].Refresh(t.Context()))
	var wait sync.WaitGroup
	for i, s := range stores {
		var all []meta.NewFields
		for j := range measurements {
			all = append(all, meta.NewFields{Group: g.ID, Measurement: fmt.Sprint("m", j), Fields: []model.Field{
				{Name: "both", Type: []model.FieldType{model.Float, model.String}[i]},
				{Name: fmt.Sprint("of", i), Type: model.Integer},
			}})
		}
		all = append(all, meta.NewFields{Group: g.ID + 1000, Measurement: "m", Fields: all[0].Fields}) // left out
		wait.Go(func() {
			if err := s.AddFields(t.Context(), all); err != nil {
				t.Errorf("add fields: %v", err)
			}
		})
	}
	wait.Wait()
	for _, s := range stores {
		must(t, s.Refresh(t.Context()))
	}
	for j := range measurements {
		name := fmt.Sprint("m", j)
		a, b := stores[0].Snapshot().Fields(g.ID, name), stores[1].Snapshot().Fields(g.ID, name)
		if len(a) != 3 || !slices.Equal(a, b) {
			t.Fatalf("fields of %s: %v and %v", name, a, b)
		}
	}
}

// checkGroups fails when groups of a policy overlap or share an id with
// anything.
func checkGroups(t *testing.T, s *meta.Snapshot, policy uint64) {
	t.Helper()
	seen := map[uint64]bool{}
	end := int64(model.MinTime)
	for _, g := range s.Groups(policy, model.AllTime) {
		if g.Start < end {
			t.Errorf("group %d begins at %d, before the end of another, %d", g.ID, g.Start, end)
		}
		end = g.End
		for _, id := range append([]uint64{g.ID}, shardIDs(g)...) {
			if seen[id] {
				t.Errorf("id %d is used twice", id)
			}
			seen[id] = true
		}
	}
}

func shardIDs(g *meta.ShardGroup) (ids []uint64) {
	for _, sh := range g.Shards {
		ids = append(ids, sh.ID)
	}
	return ids
}

func racingStoresAgreeOnFieldTypes(t *testing.T, kv meta.KV) {
	a, b := OpenStore(t, kv, "a"), OpenStore(t, kv, "b")
	must(t, a.CreateDatabase(t.Context(), "db", nil))
	must(t, b.Refresh(t.Context()))
	g, err := a.EnsureGroup(t.Context(), a.Snapshot().Database("db").Policy("").UID, 0)
	must(t, err)

	answers := make([][]model.Field, 8)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() {
			s := []*meta.Store{a, b}[i%2]
			kind := []model.FieldType{model.Float, model.Integer}[i%2]
			for f := range 10 {
				fields := []model.Field{{Name: fmt.Sprintf("f%d", f), Type: kind}, {Name: "own" + fmt.Sprint(i), Type: kind}}
				agreed, err := s.EnsureFields(t.Context(), g.ID, "m", fields)
				if err != nil {
					t.Errorf("ensure fields: %v", err)
					return
				}
				answers[i] = append(answers[i], agreed[0])
				if agreed[1] != fields[1] {
					t.Errorf("a field of one writer became %v, asked for %v", agreed[1], fields[1])
				}
			}
		})
	}
	wait.Wait()
	for i := range answers {
		if !slices.Equal(answers[i], answers[0]) {
			t.Errorf("writer %d was told %v, writer 0 %v", i, answers[i], answers[0])
		}
	}
}

func racingStoresMakeOneDatabase(t *testing.T, kv meta.KV) {
	stores := []*meta.Store{OpenStore(t, kv, "a"), OpenStore(t, kv, "b"), OpenStore(t, kv, "c")}
	var wait sync.WaitGroup
	for i := range 9 {
		wait.Go(func() {
			for j := range 5 {
				if err := stores[i%3].CreateDatabase(t.Context(), fmt.Sprintf("db%d", j), nil); err != nil {
					t.Errorf("create: %v", err)
				}
			}
		})
	}
	wait.Wait()
	must(t, stores[0].Refresh(t.Context()))
	uids := map[uint64]bool{}
	for _, d := range stores[0].Snapshot().Databases() {
		uids[d.UID], uids[d.Policies[0].UID] = true, true
	}
	if n := len(stores[0].Snapshot().Databases()); n != 5 || len(uids) != 10 {
		t.Errorf("%d databases with %d uids, want 5 with 10", n, len(uids))
	}
}

func dropRemovesEverythingOfADatabase(t *testing.T, kv meta.KV) {
	s := OpenStore(t, kv, "n")
	must(t, s.CreateDatabase(t.Context(), "db", nil))
	uid := s.Snapshot().Database("db").UID
	g, err := s.EnsureGroup(t.Context(), s.Snapshot().Database("db").Policy("").UID, 0)
	must(t, err)
	_, err = s.EnsureFields(t.Context(), g.ID, "m", []model.Field{{Name: "f", Type: model.Float}})
	must(t, err)
	must(t, s.DropDatabase(t.Context(), "db"))
	now := s.Snapshot()
	if now.Database("db") != nil || now.GroupByID(g.ID) != nil {
		t.Error("the database or its group is still there")
	}
	if _, sh := now.Shard(g.Shards[0].ID); sh != nil {
		t.Error("its shard is still there")
	}
	if _, err := s.EnsureFields(t.Context(), g.ID, "m", []model.Field{{Name: "new", Type: model.Float}}); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("new field in a dropped group: %v", err)
	}
	if !slices.Equal(now.Orphans(), []uint64{g.ID}) {
		t.Errorf("orphans: %v, want the schema of group %d", now.Orphans(), g.ID)
	}
	must(t, s.PruneGroup(t.Context(), meta.Fence{}, g.ID))
	if left := s.Snapshot().Orphans(); len(left) != 0 {
		t.Errorf("orphans after pruning: %v", left)
	}
	must(t, s.CreateDatabase(t.Context(), "db", nil))
	if s.Snapshot().Database("db").UID == uid {
		t.Error("a uid was used again")
	}
}

func leaseHasOneHolderAndFencesItsActs(t *testing.T, kv meta.KV) {
	a, b := OpenStore(t, kv, "a"), OpenStore(t, kv, "b")
	must(t, a.CreateDatabase(t.Context(), "db", nil))
	policy := a.Snapshot().Database("db").Policy("").UID
	g, err := a.EnsureGroup(t.Context(), policy, 0)
	must(t, err)
	first, err := a.Acquire(t.Context(), "work", time.Minute)
	must(t, err)
	if _, err := b.Acquire(t.Context(), "work", time.Minute); !errors.Is(err, model.ErrConflict) {
		t.Fatalf("second holder: %v", err)
	}
	must(t, first.Renew(t.Context()))
	must(t, first.Release(t.Context()))
	second, err := b.Acquire(t.Context(), "work", time.Minute)
	must(t, err)
	if err := a.DeleteGroup(t.Context(), first.Fence(), g.ID, time.Unix(1, 0)); !errors.Is(err, meta.ErrDeposed) {
		t.Errorf("act under a lost lease: %v", err)
	}
	must(t, a.Refresh(t.Context()))
	if !a.Snapshot().GroupByID(g.ID).Live() {
		t.Error("an act under a lost lease had an effect")
	}
	must(t, b.Refresh(t.Context()))
	must(t, b.DeleteGroup(t.Context(), second.Fence(), g.ID, time.Unix(1, 0)))
	if b.Snapshot().GroupByID(g.ID).Live() || b.Snapshot().Group(policy, 0) != nil {
		t.Error("a deleted group is still live")
	}
}

func succeedCopiesManyMeasurements(t *testing.T, kv meta.KV) {
	const measurements = 250 // more than two transactions hold
	s := OpenStore(t, kv, "n")
	must(t, s.CreateDatabase(t.Context(), "db", nil))
	policy := s.Snapshot().Database("db").Policy("").UID
	g, err := s.EnsureGroup(t.Context(), policy, 0)
	must(t, err)
	var wait sync.WaitGroup
	for i := range measurements {
		wait.Go(func() {
			if _, err := s.EnsureFields(t.Context(), g.ID, fmt.Sprintf("m%d", i), []model.Field{{Name: "f", Type: model.Integer}}); err != nil {
				t.Errorf("ensure fields: %v", err)
			}
		})
	}
	wait.Wait()
	next, err := s.Succeed(t.Context(), meta.Fence{}, g.ID)
	must(t, err)
	if next.Start != g.End {
		t.Errorf("the next group begins at %d, want %d", next.Start, g.End)
	}
	for i := range measurements {
		if kind, ok := s.Snapshot().FieldType(next.ID, fmt.Sprintf("m%d", i), "f"); !ok || kind != model.Integer {
			t.Fatalf("type of m%d in the next group: %v, %v", i, kind, ok)
		}
	}
	if again, err := s.Succeed(t.Context(), meta.Fence{}, g.ID); err != nil || again.ID != next.ID {
		t.Errorf("succeed again: group %v, %v; want group %d", again, err, next.ID)
	}
	checkGroups(t, s.Snapshot(), policy)
}

func directoryOfAnotherClusterIsRefused(t *testing.T, kv meta.KV) {
	fs := vfs.NewMem()
	must(t, OpenStoreIn(t, kv, fs, "n").Close())
	other := meta.DefaultConfig()
	other.Cluster = "other"
	_, err := meta.Open(t.Context(), kv, fs, "meta", other, slog.New(slog.DiscardHandler), nil)
	if !errors.Is(err, model.ErrConflict) {
		t.Errorf("other cluster that does not exist: %v", err)
	}
	s, err := meta.Open(t.Context(), kv, vfs.NewMem(), "meta", other, slog.New(slog.DiscardHandler), nil)
	must(t, err)
	defer s.Close()
	if _, err := meta.Open(t.Context(), kv, fs, "meta", other, slog.New(slog.DiscardHandler), nil); !errors.Is(err, model.ErrConflict) {
		t.Errorf("directory of one cluster opened in another: %v", err)
	}
}

func nodeKeepsItsIDUnderAnotherName(t *testing.T, kv meta.KV) {
	fs := vfs.NewMem()
	s := OpenStoreIn(t, kv, fs, "first")
	first := s.Snapshot().Nodes()[0]
	if !s.Snapshot().Alive(first.ID) || s.Away() {
		t.Errorf("alive %v, away %v", s.Snapshot().Alive(first.ID), s.Away())
	}
	must(t, s.Close())
	s = OpenStoreIn(t, kv, fs, "renamed")
	n := s.Snapshot().Nodes()
	if len(n) != 1 || n[0].ID != first.ID || n[0].Name != "renamed" || n[0].Starts != first.Starts+1 || !s.Snapshot().Alive(first.ID) {
		t.Errorf("nodes after a start under another name: %+v", n)
	}
}

func wipedNodeTakesItsOwnPlace(t *testing.T, kv meta.KV) {
	const groups = 130 // more than a transaction holds
	a, b := OpenStore(t, kv, "a"), OpenStore(t, kv, "b")
	must(t, a.Refresh(t.Context()))
	must(t, a.CreateDatabase(t.Context(), "db", nil))
	policy := a.Snapshot().Database("db").Policy("").UID
	for i := range groups {
		_, err := a.EnsureGroup(t.Context(), policy, int64(i)*int64(7*24*time.Hour))
		must(t, err)
	}
	old, kept := b.Self(), a.Self()
	must(t, b.Close())
	b = OpenStore(t, kv, "b")
	now := b.Snapshot()
	if b.Self() == old || now.Node(old) != nil || now.Alive(old) {
		t.Errorf("node %d is still there, the new one is %d", old, b.Self())
	}
	want := []meta.Owner{{Node: kept, State: meta.Active}, {Node: b.Self(), State: meta.Joining}}
	for _, g := range now.Groups(policy, model.AllTime) {
		for _, sh := range g.Shards {
			got := slices.SortedFunc(slices.Values(sh.Owners), func(x, y meta.Owner) int { return int(x.Node) - int(y.Node) })
			if !slices.Equal(got, want) || sh.Revision != 2 {
				t.Fatalf("owners of shard %d: %v at revision %d, want %v at 2", sh.ID, got, sh.Revision, want)
			}
		}
	}
}

func secretsExpire(t *testing.T, kv meta.KV) {
	s := OpenStore(t, kv, "n")
	must(t, s.PutSecret(t.Context(), "tokens/a", []byte("1"), time.Hour))
	must(t, s.PutSecret(t.Context(), "tokens/b", []byte("2"), time.Nanosecond))
	must(t, s.PutSecret(t.Context(), "ca", []byte("3"), 0))
	must(t, s.PutSecret(t.Context(), "tokens/a", []byte("4"), time.Hour))
	got, err := s.Secret(t.Context(), "tokens/a")
	if err != nil || string(got.Value) != "4" {
		t.Errorf("secret put twice: %+v, %v", got, err)
	}
	if _, err := s.Secret(t.Context(), "tokens/b"); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("expired secret: %v", err)
	}
	all, err := s.Secrets(t.Context(), "tokens/")
	if err != nil || len(all) != 1 || all[0].Name != "tokens/a" {
		t.Errorf("tokens: %+v, %v", all, err)
	}
	must(t, s.DeleteSecret(t.Context(), "tokens/a"))
	if _, err := s.Secret(t.Context(), "tokens/a"); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("deleted secret: %v", err)
	}
}

func watchTellsThatOthersChangedSomething(t *testing.T, kv meta.KV) {
	_, from := txn(t, kv, nil, meta.Put("/w/0", []byte("0")))
	watch := kv.Watch(t.Context(), "/w/", from+1)
	_, at := txn(t, kv, nil, meta.Put("/elsewhere", []byte("0")))
	for c := range watch {
		if c.Err != nil || len(c.Changes) > 0 {
			t.Fatalf("watch sent %+v", c)
		}
		if c.Revision >= at {
			return
		}
	}
}

func strangeNamesComeBackFromTheirValues(t *testing.T, kv meta.KV) {
	fs := vfs.NewMem()
	s := OpenStoreIn(t, kv, fs, "n")
	strange := "a b%2F/\"ü\n\xff,=日"
	must(t, s.CreateDatabase(t.Context(), `x %"ü`, nil))
	g, err := s.EnsureGroup(t.Context(), s.Snapshot().Database(`x %"ü`).Policy("").UID, 0)
	must(t, err)
	fields := []model.Field{{Name: strange, Type: model.String}, {Name: strange + "2", Type: model.Boolean}}
	_, err = s.EnsureFields(t.Context(), g.ID, strange, fields)
	must(t, err)
	must(t, s.Close())
	s = OpenStoreIn(t, kv, fs, "n")
	if got := s.Snapshot().Fields(g.ID, strange); !slices.Equal(got, fields) {
		t.Errorf("fields after opening again: %q", got)
	}
	if got := s.Snapshot().Measurements(g.ID); !slices.Equal(got, []string{strange}) {
		t.Errorf("measurements after opening again: %q", got)
	}
}
