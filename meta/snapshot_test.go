package meta

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/varvedb/varve/model"
)

var keys = newKeyspace("varve")

// put gives the change that sets a key to a record.
func put(key string, record any, revision int64) Change {
	return Change{Item: Item{Key: key, Value: encode(record), Created: revision, Modified: revision}}
}

// randomChanges gives changes to a few keys of every kind, removals among them.
func randomChanges(rng *rand.Rand, n int) []Change {
	changes := []Change{
		put(keys.format(), clusterRecord{recordFormat, "c", 1}, 1),
		put(keys.ids(), idsRecord{recordFormat, 1 << 40}, 1),
	}
	for i := range n {
		revision := int64(i + 2)
		id := 1 + rng.Uint64N(6)
		var c Change
		switch rng.IntN(7) {
		case 0:
			c = put(keys.node(id), nodeToRecord(&Node{ID: id, Name: fmt.Sprint("n", rng.IntN(100)), Roles: []Role{RoleData}, Starts: uint64(i), Labels: map[string]string{"x": fmt.Sprint(i)}, Draining: i%2 == 0}), revision)
		case 1:
			// The name belongs to the uid, as the transactions see to it.
			d := &Database{UID: id, Name: fmt.Sprint("db", 9-id), Policies: []*Policy{{UID: id + 10, Name: "p", ShardDuration: time.Duration(1+rng.IntN(5)) * time.Hour, Replicas: 1}}}
			d.Policies[0].FutureLimit, d.Policies[0].PastLimit = time.Duration(rng.IntN(2))*time.Hour, time.Duration(rng.IntN(2))*time.Minute
			for i := range rng.IntN(3) {
				d.Policies[0].Subscriptions = append(d.Policies[0].Subscriptions, &Subscription{Name: fmt.Sprint("s", i), Mode: ToAny, Destinations: []string{"udp://h:1"}})
			}
			c = put(keys.database(id), databaseToRecord(d), revision)
		case 2:
			start := int64(rng.IntN(20)) * int64(time.Hour)
			g := &ShardGroup{ID: 1000 + uint64(i), Database: id, Policy: id + 10, Start: start, End: start + int64(time.Hour), DeletedAt: int64(rng.IntN(2))}
			g.Shards = []Shard{{ID: 5000 + 2*uint64(i), Revision: 1, Owners: []Owner{{1, Active}}}, {ID: 5001 + 2*uint64(i), Revision: 1, Owners: []Owner{{2, Joining}}}}
			c = put(keys.group(id, id+10, start), groupToRecord(g), revision)
		case 5:
			q := &ContinuousQuery{UID: 2000 + id, Database: 1 + rng.Uint64N(3), Name: fmt.Sprint("q", id), Text: fmt.Sprint("text ", i)}
			c = put(keys.continuousQuery(q.Database, q.UID), continuousToRecord(q), revision)
		case 6:
			u := &User{UID: id, Name: fmt.Sprint("u", 9-id), Admin: rng.IntN(2) == 0, hash: fmt.Sprint("$", i)}
			for db := range rng.Uint64N(4) {
				u.Grants = append(u.Grants, Grant{db, Privilege(rng.IntN(4))})
			}
			c = put(keys.user(id), userToRecord(u), revision)
		case 4:
			c = put(keys.alive(id), aliveRecord{recordFormat, uint64(i)}, revision)
		case 3:
			fields := []schemaField{{model.Field{Name: "f", Type: model.FieldType(1 + rng.IntN(5))}, rng.IntN(2) == 0}}
			c = put(keys.measurement(id, fmt.Sprint("m,", rng.IntN(5))), schemaToRecord(fields), revision)
		}
		if rng.IntN(4) == 0 {
			c.Removed, c.Value = true, nil
		}
		changes = append(changes, c)
	}
	return changes
}

// Following changes one by one gives what reading the outcome gives, and never
// touches a snapshot that was published before.
func TestSnapshotOfChangesEqualsSnapshotOfTheirOutcome(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		changes := randomChanges(rng, 60)
		followed, last := newBuilder(keys), map[string]Change{}
		var published []*Snapshot
		var text []string
		for _, c := range changes {
			if err := followed.apply(c); err != nil {
				t.Fatalf("apply %s: %v", c.Key, err)
			}
			if last[c.Key] = c; c.Removed {
				delete(last, c.Key)
			}
			if rng.IntN(3) == 0 {
				published = append(published, followed.snapshot())
				text = append(text, dump(published[len(published)-1]))
			}
		}
		read := newBuilder(keys)
		for _, key := range slices.Sorted(maps.Keys(last)) {
			if err := read.apply(last[key]); err != nil {
				t.Fatalf("apply %s: %v", key, err)
			}
		}
		if diff := cmp.Diff(dump(read.snapshot()), dump(followed.snapshot())); diff != "" {
			t.Fatalf("read at the end (-), followed (+):\n%s", diff)
		}
		if a, b := read.snapshot().alive, followed.snapshot().alive; !slices.Equal(a, b) {
			t.Fatalf("alive: read at the end %v, followed %v", a, b)
		}
		for i, s := range published {
			if diff := cmp.Diff(text[i], dump(s)); diff != "" {
				t.Fatalf("a published snapshot changed:\n%s", diff)
			}
		}
		copied, err := decodeCopy(keys, encodeCopy(keys, followed.snapshot()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(dump(followed.snapshot()), dump(copied.snapshot())); diff != "" {
			t.Fatalf("snapshot (-), its copy (+):\n%s", diff)
		}
	}
}

// What is beside the snapshot in etcd is no reason to write its copy again.
func TestOnlyWhatASnapshotShowsChangesIt(t *testing.T) {
	b := newBuilder(keys)
	for i, c := range []struct {
		change  Change
		changes bool
	}{
		{put(keys.ids(), idsRecord{recordFormat, 8}, 1), true},
		{put(keys.progress(1, 2), progressRecord{Format: recordFormat}, 2), false},
		{put(keys.secret("s"), secretRecord{Format: recordFormat}, 3), false},
		{put(keys.user(7), userToRecord(&User{UID: 7, Name: "u", hash: "$"}), 4), true},
		{Change{Item: Item{Key: keys.progress(1, 2)}, Removed: true}, false},
		{Change{Item: Item{Key: keys.user(7)}, Removed: true}, true},
	} {
		before := b.snapshot().changed
		if err := b.apply(c.change); err != nil {
			t.Fatal(err)
		}
		b.next.revision = int64(i + 1)
		if got := b.snapshot().changed; (got != before) != c.changes || c.changes && got != b.next.revision {
			t.Errorf("%s at revision %d: changed at %d, before at %d", c.change.Key, b.next.revision, got, before)
		}
	}
}

// dump writes all that a snapshot shows.
func dump(s *Snapshot) string {
	var b strings.Builder
	fmt.Fprintln(&b, s.ClusterID(), s.HashSeed(), s.counter.next)
	for _, n := range s.Nodes() {
		fmt.Fprintf(&b, "%+v\n", *n)
	}
	for _, d := range s.Databases() {
		fmt.Fprintf(&b, "database %d %s %s\n", d.UID, d.Name, d.DefaultPolicy)
		for _, p := range d.Policies {
			plain := *p
			plain.Subscriptions = nil // pointers
			fmt.Fprintf(&b, "policy %+v\n", plain)
			for _, sub := range p.Subscriptions {
				fmt.Fprintf(&b, "subscription %+v\n", *sub)
			}
		}
		for _, q := range s.ContinuousQueries(d.UID) {
			fmt.Fprintf(&b, "query %+v\n", *q)
		}
	}
	for _, q := range s.continuous {
		fmt.Fprintf(&b, "query %+v\n", q.ContinuousQuery)
	}
	for _, u := range s.Users() {
		fmt.Fprintf(&b, "user %+v\n", *u)
	}
	for _, t := range s.Tokens() {
		fmt.Fprintf(&b, "token %+v\n", *t)
	}
	for g := range s.AllGroups {
		fmt.Fprintf(&b, "group %+v\n", *g)
		for _, sh := range g.Shards {
			in, found := s.Shard(sh.ID)
			if in == nil || in.ID != g.ID || found.ID != sh.ID {
				fmt.Fprintf(&b, "shard %d is not found in group %d\n", sh.ID, g.ID)
			}
		}
	}
	for _, p := range s.policies {
		for _, g := range p.live {
			fmt.Fprintf(&b, "live %d: %d\n", p.policy, g.ID)
		}
	}
	for _, g := range s.schemas {
		for _, m := range g.measurements {
			fmt.Fprintf(&b, "schema %d %s %v\n", g.group, m.name, m.fields)
		}
	}
	return b.String()
}

func TestGroupsAreFoundByTime(t *testing.T) {
	b := newBuilder(keys)
	for i, span := range [][2]int64{{0, 10}, {10, 20}, {30, 40}} {
		g := &ShardGroup{ID: uint64(i + 1), Database: 1, Policy: 2, Start: span[0], End: span[1], Shards: []Shard{{ID: uint64(i + 10)}}}
		if err := b.apply(put(keys.group(1, 2, g.Start), groupToRecord(g), 1)); err != nil {
			t.Fatal(err)
		}
	}
	s := b.snapshot()
	for _, c := range []struct {
		min, max int64
		want     []uint64
	}{
		{0, 9, []uint64{1}},
		{9, 10, []uint64{1, 2}},
		{20, 29, nil},
		{20, 30, []uint64{3}},
		{model.MinTime, model.MaxTime, []uint64{1, 2, 3}},
		{math.MinInt64, -1, nil},
		{40, math.MaxInt64, nil},
		{15, 5, nil},
	} {
		var got []uint64
		for _, g := range s.Groups(2, model.TimeRange{Min: c.min, Max: c.max}) {
			got = append(got, g.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("groups from %d to %d: %v, want %v", c.min, c.max, got, c.want)
		}
	}
	if g := s.Group(3, 0); g != nil {
		t.Errorf("group of an unknown policy: %+v", g)
	}
}

func TestNewGroupsAreAlignedAndFillGapsOnly(t *testing.T) {
	at := func(text string) int64 {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when.UnixNano()
	}
	start, end := span(nil, 0, 7*day, at("2026-11-21T22:00:00Z"))
	if start != at("2026-11-16T00:00:00Z") || end != at("2026-11-23T00:00:00Z") {
		t.Errorf("a week of Saturday 2026-11-21: %s to %s, want Monday to Monday", time.Unix(0, start).UTC(), time.Unix(0, end).UTC())
	}
	if start, _ := span(nil, 0, 7*day, model.MinTime); start != model.MinTime {
		t.Errorf("first group begins at %d", start)
	}
	if _, end := span(nil, 0, 7*day, model.MaxTime); end != model.MaxTime+1 {
		t.Errorf("last group ends at %d", end)
	}

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var live []*ShardGroup
	for range 500 {
		d := time.Duration(1+rng.IntN(200)) * time.Hour
		when := int64(rng.IntN(5000)) * int64(time.Hour)
		if slices.ContainsFunc(live, func(g *ShardGroup) bool { return g.Contains(when) }) {
			continue
		}
		after := groupAfter(live, when)
		start, end := span(live, after, d, when)
		if start > when || when >= end || end-start > int64(d) {
			t.Fatalf("span of %d for %s: %d to %d", when, d, start, end)
		}
		for _, g := range live {
			if start < g.End && g.Start < end {
				t.Fatalf("%d to %d overlaps %d to %d", start, end, g.Start, g.End)
			}
		}
		live = slices.Insert(live, after, &ShardGroup{Start: start, End: end})
	}
}

func TestShardsAreSpreadEvenlyOverTheDataNodes(t *testing.T) {
	for n := 1; n <= 7; n++ {
		for rf := 1; rf <= 4; rf++ {
			s := &Snapshot{}
			for i := range n {
				s.nodes = append(s.nodes, &node{Node: Node{ID: uint64(i + 1), Roles: []Role{RoleData}}})
			}
			p := &Policy{Replicas: rf}
			count := shardCount(s, p)
			shards, err := place(s, p, reservedIDs{first: uint64(n + rf), n: 1 + count})
			if err != nil {
				t.Fatal(err)
			}
			load := map[uint64]int{}
			for _, sh := range shards {
				distinct := map[uint64]bool{}
				for _, o := range sh.Owners {
					load[o.Node]++
					distinct[o.Node] = true
				}
				if len(distinct) != min(rf, n) {
					t.Errorf("%d nodes, rf %d: shard on %d nodes", n, rf, len(distinct))
				}
			}
			for _, l := range load {
				if len(load) != n || l != load[1] {
					t.Errorf("%d nodes, rf %d: replicas per node %v", n, rf, load)
				}
			}
		}
	}
	if _, err := place(&Snapshot{}, &Policy{Replicas: 1}, reservedIDs{1, 2}); err == nil {
		t.Error("a shard was placed without any node")
	}
}

// The examples of FORMAT.md are what the code writes and reads.
func TestFormatExamples(t *testing.T) {
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := bytes.Cut(page, []byte("```snapshot\n"))
	example, _, _ = bytes.Cut(example, []byte("```"))
	want := exampleSnapshot(t)
	if got := encodeCopy(keys, want); !bytes.Equal(got, example) {
		t.Errorf("the example is\n%swant\n%s", example, got)
	}
	b, err := decodeCopy(keys, example)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dump(want), dump(b.snapshot())); diff != "" {
		t.Errorf("the example is read as (+), want (-):\n%s", diff)
	}
}

var exampleNode = &Node{
	ID: 1, Name: "host", Incarnation: 0xfedcba9876543210, Starts: 3, run: 0xfedc,
	Roles: []Role{RoleMeta, RoleData, RoleCoordinator}, Version: "0.1.0",
	Addresses: Addresses{HTTP: "10.0.0.1:8086", RPC: "10.0.0.1:8088", MetaClient: "10.0.0.1:2379", MetaPeer: "10.0.0.1:2380"},
	Labels:    map[string]string{LabelZone: "a"},
}

// exampleSnapshot is what the example of FORMAT.md shows.
func exampleSnapshot(t testing.TB) *Snapshot {
	t.Helper()
	b := newBuilder(keys)
	b.next.revision = 9
	p := &Policy{
		UID: 3, Name: "autogen", ShardDuration: 7 * day, Replicas: 1, FutureLimit: time.Hour,
		Subscriptions: []*Subscription{{Name: "kapacitor", Mode: ToAll, Destinations: []string{"http://10.0.0.9:9092"}}},
	}
	q := &ContinuousQuery{UID: 6, Database: 2, Name: "hourly", Text: "CREATE CONTINUOUS QUERY hourly ON telegraf BEGIN SELECT mean(n) INTO telegraf.autogen.m FROM telegraf.autogen.cpu GROUP BY time(1h) END"}
	u := &User{UID: 7, Name: "grafana", Grants: []Grant{{2, Read}}, hash: "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}
	token := &Token{
		TokenSpec: TokenSpec{Name: "ingest", Monitor: true, Grants: []Grant{{2, Write}}, Expires: time.Date(2027, 11, 16, 0, 0, 0, 0, time.UTC)},
		UID:       8, Created: time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC), digest: sha256.Sum256([]byte("test")),
	}
	g := &ShardGroup{ID: 4, Database: 2, Policy: 3, Start: 1794787200e9, End: 1795392000e9, Shards: []Shard{{ID: 5, Revision: 1, Owners: []Owner{{1, Active}}}}}
	fields := []schemaField{{model.Field{Name: "usage idle", Type: model.Float}, false}, {model.Field{Name: "n", Type: model.Integer}, true}}
	for _, c := range []Change{
		put(keys.format(), clusterRecord{recordFormat, "00112233445566778899aabbccddeeff", 0x0123456789abcdef}, 0),
		put(keys.ids(), idsRecord{recordFormat, 9}, 0),
		put(keys.node(1), nodeToRecord(exampleNode), 0),
		put(keys.database(2), databaseToRecord(&Database{UID: 2, Name: "telegraf", DefaultPolicy: "autogen", Policies: []*Policy{p}}), 0),
		put(keys.continuousQuery(2, 6), continuousToRecord(q), 0),
		put(keys.user(7), userToRecord(u), 0),
		put(keys.token(8), tokenToRecord(token), 0),
		put(keys.group(2, 3, g.Start), groupToRecord(g), 0),
		put(keys.measurement(4, "cpu load"), schemaToRecord(fields), 0),
	} {
		if err := b.apply(c); err != nil {
			t.Fatal(err)
		}
	}
	return b.snapshot()
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "cpu", "a b/c%", "%41", "%2f", "%", "\xff\x00", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if back, ok := unescape(escape(s)); !ok || back != s {
			t.Errorf("unescape of %q: %q, %v, want %q", escape(s), back, ok, s)
		}
		if name, ok := unescape(s); ok && escape(name) != s {
			t.Errorf("%q is read as %q, which is written %q", s, name, escape(name))
		}
	})
}

func FuzzDecodeCopy(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("{\"revision\":3}\n"))
	_, example, _ := bytes.Cut(encodeCopy(keys, exampleSnapshot(f)), []byte("\n"))
	f.Add(example)
	f.Fuzz(func(t *testing.T, body []byte) {
		header := fmt.Appendf(nil, copyHeader, crc32.Checksum(body, castagnoli))
		b, err := decodeCopy(keys, append(header, body...))
		if err != nil {
			return
		}
		again, err := decodeCopy(keys, encodeCopy(keys, b.snapshot()))
		if err == nil && dump(again.snapshot()) != dump(b.snapshot()) {
			t.Errorf("a copy of a copy differs:\n%s\n%s", dump(b.snapshot()), dump(again.snapshot()))
		}
	})
}

// Whatever is in etcd, a snapshot is made of it or it is refused.
func FuzzApply(f *testing.F) {
	for _, c := range randomChanges(rand.New(rand.NewPCG(1, 1)), 8) {
		f.Add(c.Key, c.Value)
	}
	f.Add(keys.user(1), []byte(`{"format":1,"uid":1,"name":"u","hash":"$","grants":[{"database":2,"privilege":"all"},{"database":1,"privilege":"x"}]}`))
	f.Add(keys.continuousQuery(1, 2), []byte(`{"format":1,"uid":2,"database":1,"name":"q","text":"x"}`))
	f.Add(keys.database(1), []byte(`{"format":1,"uid":1,"name":"d","policies":[{"name":"p","shard_duration":"1h","past_limit":"-1h","subscriptions":[{"name":"s","mode":"SOME"}]}]}`))
	f.Add(keys.group(1, 2, 0), []byte(`{"format":1,"id":1,"start":"0001-01-01T00:00:00Z","end":"9999-01-01T00:00:00Z","shards":[{}]}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		b := newBuilder(keys)
		err := b.apply(Change{Item: Item{Key: key, Value: value, Modified: 7}})
		s := b.snapshot()
		dump(s)
		for g := range s.AllGroups {
			s.Groups(g.Policy, model.AllTime)
			g.ShardOf(model.SeriesHash{Hi: 1})
		}
		if err != nil && dump(s) != dump(newBuilder(keys).snapshot()) {
			t.Errorf("refused with %v, and yet applied:\n%s", err, dump(s))
		}
	})
}
