package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
	"github.com/varvedb/varve/tsm"
)

// fakeLocal is the data of a node.
type fakeLocal struct {
	data.Peer
	data.Owner

	mu        sync.Mutex
	status    []data.ShardStatus
	digest    tsm.Digest
	times     model.TimeRange
	err       error
	compacted []uint64
	asked     func()

	census, past data.Census
	tags         []data.TagCensus
}

func (l *fakeLocal) Census() data.Census { return l.census }
func (l *fakeLocal) Past() data.Census   { return l.past }

func (l *fakeLocal) Tags(context.Context, uint64, string) ([]data.TagCensus, error) {
	return l.tags, l.err
}

func (l *fakeLocal) ShardStatus(context.Context) []data.ShardStatus { return l.status }
func (l *fakeLocal) DiskBytes(uint64) (int64, error)                { return 1000, nil }
func (l *fakeLocal) Free() (uint64, error)                          { return 1 << 40, nil }

func (l *fakeLocal) Times(context.Context, data.ShardRef) (model.TimeRange, error) {
	return l.times, l.err
}

func (l *fakeLocal) Compact(_ context.Context, ref data.ShardRef) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.compacted = append(l.compacted, ref.Shard)
	return l.err
}

func (l *fakeLocal) Digest(context.Context, data.ShardRef) (tsm.Digest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked != nil {
		l.asked()
	}
	return l.digest, l.err
}

// What both data.Peer and data.Owner have, or nobody asks for here.
func (l *fakeLocal) Applied(context.Context, data.ShardRef) (*model.BatchSet, error) { return nil, nil }

func (l *fakeLocal) Scan(context.Context, data.ReadRef, *plan.Fragment, func(*exec.Partial) error) error {
	return nil
}

// cluster is nodes a, b and c, which share metadata in memory and speak rpc.
type cluster struct {
	t      *testing.T
	kv     *metatest.Memory
	stores []*meta.Store
	locals []*fakeLocal
	admins []*Admin
	dead   map[uint64]bool // is not spoken with
	shard  uint64
	group  *meta.ShardGroup
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, dead: map[uint64]bool{}}
	kv := metatest.NewMemory()
	c.kv = kv
	log := slog.New(slog.DiscardHandler)
	addresses := map[uint64]string{}
	for _, name := range []string{"a", "b", "c"} {
		store := metatest.OpenStoreIn(t, kv, vfs.NewMem(), name)
		id := rpc.Identity{Cluster: store.Snapshot().ClusterID(), Node: store.Self()}
		pool, err := rpc.NewPool(rpc.DefaultConfig(), id, nil, log, nil)
		if err != nil {
			t.Fatal(err)
		}
		local := &fakeLocal{digest: tsm.Digest{Applied: &model.BatchSet{}}, times: model.TimeRange{Min: 1}}
		a := New(Parts{
			Store: store, Local: local, Log: log,
			Conn: func(node uint64) data.Conn {
				if c.dead[node] {
					return nil
				}
				return pool.Conn(addresses[node])
			},
		})
		s, err := rpc.NewServer(rpc.DefaultConfig(), id, nil, log, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.Serve(s)
		data.Serve(s, local)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses[store.Self()] = l.Addr().String()
		done := make(chan error, 1)
		go func() { done <- s.Serve(l) }()
		t.Cleanup(func() {
			pool.Close()
			s.Close()
			a.Close()
			if err := <-done; err != nil {
				t.Errorf("Serve gave %v", err)
			}
		})
		c.stores, c.locals, c.admins = append(c.stores, store), append(c.locals, local), append(c.admins, a)
	}
	replicas := 2
	if err := c.stores[0].CreateDatabase(t.Context(), "db", &meta.PolicySpec{Replicas: &replicas}); err != nil {
		t.Fatal(err)
	}
	c.settle()
	_, p, err := c.stores[0].Policy(t.Context(), "db", "")
	if err != nil {
		t.Fatal(err)
	}
	if c.group, err = c.stores[0].EnsureGroup(t.Context(), p.UID, time.Now().UnixNano()); err != nil {
		t.Fatal(err)
	}
	c.shard = c.group.Shards[0].ID
	c.settle()
	return c
}

// settle lets all nodes see all metadata.
func (c *cluster) settle() {
	c.t.Helper()
	for _, s := range c.stores {
		if err := s.Refresh(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
	}
}

// say has the nodes that own the shard say so.
func (c *cluster) say(inSync bool) {
	_, sh := c.stores[0].Snapshot().Shard(c.shard)
	for i, s := range c.stores {
		c.locals[i].status = nil
		for _, o := range sh.Owners {
			if o.Node == s.Self() {
				c.locals[i].status = []data.ShardStatus{{Shard: data.ShardRef{Shard: c.shard}, State: o.State, InSync: inSync}}
			}
		}
	}
}

// ask sends a request to a node, and reads the answer into answer.
func (c *cluster) ask(node int, method, path string, request, answer any) error {
	c.t.Helper()
	body := &bytes.Buffer{}
	if request != nil {
		if err := json.NewEncoder(body).Encode(request); err != nil {
			c.t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, adminapi.Prefix+path, body)
	r.RemoteAddr = "127.0.0.1:5"
	w := httptest.NewRecorder()
	c.admins[node].Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		var e adminapi.Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error == "" {
			c.t.Errorf("%s %s gave %d with %q", method, path, w.Code, w.Body)
		}
		return fmt.Errorf("%d: %s", w.Code, e.Error)
	}
	if answer != nil {
		if err := json.Unmarshal(w.Body.Bytes(), answer); err != nil {
			c.t.Fatalf("%s %s gave %q: %v", method, path, w.Body, err)
		}
	}
	c.settle()
	return nil
}

func (c *cluster) mustAsk(node int, method, path string, request, answer any) {
	c.t.Helper()
	if err := c.ask(node, method, path, request, answer); err != nil {
		c.t.Fatalf("%s %s gave %v", method, path, err)
	}
}

// owner gives the index of a node that owns the shard, and of one that does not.
func (c *cluster) owner() (in, out int) {
	_, sh := c.stores[0].Snapshot().Shard(c.shard)
	for i, s := range c.stores {
		owns := false
		for _, o := range sh.Owners {
			owns = owns || o.Node == s.Self()
		}
		if owns {
			in = i
		} else {
			out = i
		}
	}
	return in, out
}

var names = []string{"a", "b", "c"}

func TestStatusOfAHealthyClusterIsTheSameFromEveryNode(t *testing.T) {
	c := newCluster(t)
	c.say(true)
	for i := range names {
		var st adminapi.Status
		c.mustAsk(i, "GET", "/status", nil, &st)
		if len(st.Problems) > 0 || len(st.Nodes) != 3 || st.Groups != 1 || st.Replicas != 6 || !st.MetaAvailable {
			t.Errorf("from %s: %+v", names[i], st)
		}
		if !st.Nodes[i].Self {
			t.Errorf("from %s: it does not know itself", names[i])
		}
	}
}

func TestStatusSaysWhatIsWrong(t *testing.T) {
	c := newCluster(t)
	c.say(false)
	in, _ := c.owner()
	at := (in + 1) % 3
	c.dead[c.stores[in].Self()] = true
	var st adminapi.Status
	c.mustAsk(at, "GET", "/status", nil, &st)
	all := strings.Join(st.Problems, "\n")
	if !strings.Contains(all, "node "+names[in]+" does not answer") || !strings.Contains(all, "behind") {
		t.Errorf("problems are %q", all)
	}
}

func TestVerifyTellsEqualFromUnequalFromBusy(t *testing.T) {
	c := newCluster(t)
	in, out := c.owner()
	path := fmt.Sprintf("/shards/%d/verify?timeout=1ms", c.shard)
	check := func(want string) {
		t.Helper()
		var v adminapi.Verified
		c.mustAsk(out, "GET", path, nil, &v)
		if v.State != want || len(v.Replicas) != 2 {
			t.Errorf("got %+v, want %s", v, want)
		}
	}
	check(adminapi.Equal)
	c.locals[in].digest.Hash[0] = 1
	check(adminapi.Unequal)
	more := &model.BatchSet{}
	more.Add(model.BatchID{Origin: 1, Epoch: 1, Seq: 1})
	c.locals[in].digest.Applied = more
	check(adminapi.Busy)
	c.locals[in].err = errors.New("broken disk")
	check(adminapi.Unreachable)

	// One that catches up meanwhile is equal.
	c.locals[in].err, c.locals[in].digest.Hash[0] = nil, 0
	asked := 0
	c.locals[in].asked = func() {
		if asked++; asked == 2 {
			c.locals[in].digest.Applied = &model.BatchSet{}
		}
	}
	path = fmt.Sprintf("/shards/%d/verify?timeout=10s", c.shard)
	check(adminapi.Equal)
}

func TestVerifyDoesNotWaitForANodeThatIsAway(t *testing.T) {
	c := newCluster(t)
	in, out := c.owner()
	c.dead[c.stores[in].Self()] = true
	if err := c.stores[in].Close(); err != nil { // which gives back its lease
		t.Fatal(err)
	}
	c.stores = slices.Delete(c.stores, in, in+1)
	c.settle()
	begun := time.Now()
	var v adminapi.Verified
	c.mustAsk(out, "GET", fmt.Sprintf("/shards/%d/verify?timeout=20s", c.shard), nil, &v)
	if v.State != adminapi.Unreachable {
		t.Errorf("got %+v", v)
	}
	if d := time.Since(begun); d > 10*time.Second {
		t.Errorf("it waited %v", d)
	}
}

func TestVerifyWithoutMetadataDoesNotWaitForANodeThatDoesNotAnswer(t *testing.T) {
	c := newCluster(t)
	in, out := c.owner()
	c.dead[c.stores[in].Self()] = true
	c.kv.SetAway(true)
	defer c.kv.SetAway(false)
	for end := time.Now().Add(10 * time.Second); !c.stores[out].Away(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the store does not see that it is away")
		}
	}
	begun := time.Now()
	v, err := c.admins[out].verify(t.Context(), c.shard, 20*time.Second)
	if err != nil || v.(*adminapi.Verified).State != adminapi.Unreachable {
		t.Errorf("got %+v, %v", v, err)
	}
	if d := time.Since(begun); d > 10*time.Second {
		t.Errorf("it waited %v", d)
	}
}

func TestStatusCountsTheShardsThatCannotBeRead(t *testing.T) {
	st := &adminapi.Status{}
	for id := range uint64(500) {
		shardProblems(st, &adminapi.Shard{ID: id, Wanted: 1, Owners: []adminapi.Owner{{Node: 1, State: "active"}}})
	}
	listProblems(st)
	if n := len(st.Problems); n > 3 || !strings.Contains(strings.Join(st.Problems, "\n"), "cannot be read: 500") {
		t.Errorf("%d problems: %.300q", n, st.Problems)
	}
}

func TestShardsAreCopiedMovedAndRemoved(t *testing.T) {
	c := newCluster(t)
	in, out := c.owner()
	path := fmt.Sprintf("/shards/%d/", c.shard)
	r := adminapi.MoveRequest{From: names[out], To: names[in]}
	if err := c.ask(0, "POST", path+"move", r, nil); err == nil || !strings.Contains(err.Error(), "not an owner") {
		t.Errorf("a move from a node without it gave %v", err)
	}
	r = adminapi.MoveRequest{From: names[in], To: names[out]}
	c.mustAsk(0, "POST", path+"move", r, nil)
	var shards []adminapi.Shard
	c.mustAsk(2, "GET", "/shards", nil, &shards)
	var found *adminapi.Shard
	for i := range shards {
		if shards[i].ID == c.shard {
			found = &shards[i]
		}
	}
	if found == nil || found.Move == nil || found.Move.From != names[in] || found.Move.To != names[out] || len(found.Owners) != 3 {
		t.Fatalf("the shard is %+v", found)
	}
	if err := c.ask(1, "POST", path+"cancel", adminapi.MoveRequest{From: names[in], To: names[3-in-out]}, nil); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("to cancel a move to another node gave %v", err)
	}
	c.mustAsk(1, "POST", path+"cancel", adminapi.MoveRequest{From: names[in], To: names[out]}, nil)
	if m := c.stores[0].Snapshot().Move(c.shard); m != nil {
		t.Errorf("the move is still there: %+v", m)
	}
	if err := c.ask(1, "POST", path+"cancel", nil, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("to cancel nothing gave %v", err)
	}
	c.mustAsk(0, "POST", path+"remove", adminapi.MoveRequest{From: fmt.Sprint(c.stores[in].Self())}, nil)
	if m := c.stores[0].Snapshot().Move(c.shard); m == nil || m.To != 0 {
		t.Errorf("nothing leaves: %+v", m)
	}
}

func TestNodesAreDrainedLabelledReplacedAndRemoved(t *testing.T) {
	c := newCluster(t)
	c.mustAsk(0, "POST", "/nodes/b/label", adminapi.LabelRequest{Labels: map[string]string{"zone": "x"}}, nil)
	c.mustAsk(0, "POST", "/nodes/b/drain", adminapi.DrainRequest{}, nil)
	var nodes []adminapi.Node
	c.mustAsk(2, "GET", "/nodes", nil, &nodes)
	if !nodes[1].Draining || nodes[1].Labels["zone"] != "x" || nodes[1].Shards == 0 || nodes[1].FreeBytes != 1<<40 {
		t.Errorf("node b is %+v", nodes[1])
	}
	for _, force := range []bool{false, true} {
		if err := c.ask(0, "POST", "/nodes/b/remove", adminapi.RemoveRequest{Force: force}, nil); err == nil {
			t.Errorf("a node with shards that is alive was removed (force %v)", force)
		}
	}
	c.mustAsk(0, "POST", "/nodes/b/drain", adminapi.DrainRequest{Cancel: true}, nil)
	in, out := c.owner()
	var r adminapi.Replaced
	c.mustAsk(0, "POST", "/nodes/"+names[in]+"/replace", adminapi.ReplaceRequest{With: names[out]}, &r)
	if r.Moving == 0 || !c.stores[0].Snapshot().Node(c.stores[in].Self()).Draining {
		t.Errorf("replace gave %+v", r)
	}
	if err := c.ask(0, "POST", "/nodes/nobody/drain", nil, nil); err == nil || !strings.HasPrefix(err.Error(), "404") {
		t.Errorf("an unknown node gave %v", err)
	}
}

func TestRebalanceIsPlannedAppliedAndCancelled(t *testing.T) {
	c := newCluster(t)
	var r adminapi.Rebalance
	c.mustAsk(0, "GET", "/rebalance", nil, &r)
	c.mustAsk(0, "POST", "/rebalance", nil, &r)
	c.mustAsk(0, "DELETE", "/rebalance", nil, nil)
	moves := []meta.PlannedMove{{Shard: c.shard, From: c.stores[0].Self(), To: c.stores[1].Self(), Bytes: 7}}
	if err := c.stores[0].StartRebalance(t.Context(), moves); err != nil {
		t.Fatal(err)
	}
	c.settle()
	c.mustAsk(2, "GET", "/rebalance", nil, &r)
	if len(r.Moves) != 1 || r.Moves[0].From != "a" || r.Moves[0].Bytes != 7 || r.Round != 1 {
		t.Errorf("what is under way is shown as %+v", r)
	}
	if err := c.ask(1, "POST", "/rebalance", nil, nil); err == nil || !strings.HasPrefix(err.Error(), "409") {
		t.Errorf("a second one gave %v", err)
	}
	c.mustAsk(1, "DELETE", "/rebalance", nil, nil)
	if c.stores[0].Snapshot().Rebalance() != nil {
		t.Error("it is still there")
	}
}

func TestTruncateEndsGroupsThatHoldNothingLater(t *testing.T) {
	c := newCluster(t)
	in, _ := c.owner()
	r := adminapi.TruncateRequest{Delay: time.Minute}
	c.locals[in].err = model.ErrUnavailable
	if err := c.ask(0, "POST", "/truncate-shards", r, nil); err == nil || !strings.HasPrefix(err.Error(), "503") {
		t.Errorf("with an owner that does not say what it holds it gave %v", err)
	}
	c.locals[in].err, c.locals[in].times.Max = nil, model.MaxTime
	var out adminapi.Truncated
	c.mustAsk(0, "POST", "/truncate-shards", r, &out)
	if len(out.Groups) != 0 {
		t.Errorf("a group with later rows was ended: %+v", out)
	}
	c.locals[in].times.Max = 2
	c.mustAsk(0, "POST", "/truncate-shards", r, &out)
	g := c.stores[0].Snapshot().GroupByID(c.group.ID)
	if len(out.Groups) != 1 || g.End != out.At.UnixNano() {
		t.Errorf("got %+v, the group ends at %d", out, g.End)
	}
	if err := c.ask(0, "POST", "/truncate-shards", adminapi.TruncateRequest{Delay: time.Second}, nil); err == nil {
		t.Error("an end that nobody can hear of in time was taken")
	}
}

func TestShardsAreCompactedOnAllOwners(t *testing.T) {
	c := newCluster(t)
	in, out := c.owner()
	var r adminapi.Compacted
	c.mustAsk(out, "POST", fmt.Sprintf("/shards/%d/compact", c.shard), nil, &r)
	if len(r.Nodes) != 2 || len(r.Failed) > 0 {
		t.Errorf("got %+v", r)
	}
	c.locals[in].err = errors.New("broken disk")
	c.mustAsk(out, "POST", fmt.Sprintf("/shards/%d/compact", c.shard), nil, &r)
	if len(r.Nodes) != 1 || len(r.Failed) != 1 || !strings.Contains(r.Failed[0], "broken disk") {
		t.Errorf("with a broken disk: %+v", r)
	}
	c.locals[in].err = nil
	var begun adminapi.Compacting
	c.mustAsk(in, "POST", "/compact", adminapi.CompactRequest{Shards: []uint64{c.shard}}, &begun)
	c.admins[in].done.Wait()
	if begun.Shards != 1 || len(c.locals[in].compacted) != 3 {
		t.Errorf("began %+v, compacted %v", begun, c.locals[in].compacted)
	}
}

func TestJoinTokens(t *testing.T) {
	c := newCluster(t)
	if err := c.ask(0, "POST", "/join-token", nil, nil); err == nil || !strings.HasPrefix(err.Error(), "501") {
		t.Errorf("without an authority it gave %v", err)
	}
	c.admins[0].Token = func(_ context.Context, life time.Duration) (string, error) { return "secret for " + life.String(), nil }
	var tok adminapi.Token
	c.mustAsk(0, "POST", "/join-token", nil, &tok)
	if tok.Token != "secret for 1h0m0s" || time.Until(tok.Expires) < 59*time.Minute {
		t.Errorf("got %+v", tok)
	}
	if err := c.ask(0, "POST", "/join-token", adminapi.TokenRequest{Life: -1}, nil); err == nil {
		t.Error("a token that has expired was made")
	}
}

func TestOnlyThisMachineIsAnswered(t *testing.T) {
	c := newCluster(t)
	for _, r := range []struct {
		from, method, header string
		everyone             bool
		want                 int
	}{
		{from: "127.0.0.1:9", want: 200},
		{from: "[::1]:9", want: 200},
		{from: "10.0.0.1:9", want: 403},
		{from: "10.0.0.1:9", everyone: true, want: 200},
		{from: "@", want: 403},
		{from: "127.0.0.1:9", header: "X-Forwarded-For", want: 403},
		{from: "127.0.0.1:9", header: "Origin", method: "DELETE", want: 403},
		{from: "127.0.0.1:9", header: "Origin", method: "DELETE", everyone: true, want: 403},
	} {
		req := httptest.NewRequest("GET", adminapi.Prefix+"/rebalance", nil)
		if r.method != "" {
			req.Method = r.method
		}
		if r.header != "" {
			req.Header.Set(r.header, "http://somewhere")
		}
		req.RemoteAddr = r.from
		c.admins[0].Everyone = r.everyone
		w := httptest.NewRecorder()
		c.admins[0].Handler().ServeHTTP(w, req)
		if w.Code != r.want {
			t.Errorf("%+v gave %d: %s", r, w.Code, w.Body)
		}
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	c := newCluster(t)
	for _, r := range []struct{ method, path, body, want string }{
		{"GET", "/nothing", "", "404"},
		{"POST", "/shards/x/copy", "", "400"},
		{"POST", "/shards/999/copy", `{"to":"a"}`, "404"},
		{"POST", "/nodes/a/drain", `{"cancle":true}`, "400"},
		{"POST", "/nodes/a/label", `{}`, "400"},
		{"POST", "/nodes/a/label", `{`, "400"},
		{"GET", fmt.Sprintf("/shards/%d/verify?timeout=x", c.shard), "", "400"},
		{"POST", "/compact", `{"shards":[999]}`, "404"},
	} {
		var body any
		if r.body != "" {
			body = json.RawMessage(r.body)
		}
		if r.body == "{" {
			body = "{"
		}
		if err := c.ask(0, r.method, r.path, body, nil); err == nil || !strings.HasPrefix(err.Error(), r.want) {
			t.Errorf("%s %s %s gave %v, want %s", r.method, r.path, r.body, err, r.want)
		}
	}
}

func TestReplicasThatDifferAreUnequalWhateverTheOthersSay(t *testing.T) {
	set, more := &model.BatchSet{}, &model.BatchSet{}
	more.Add(model.BatchID{Origin: 1, Epoch: 1, Seq: 1})
	x, y, z := tsm.Digest{Applied: set}, tsm.Digest{Applied: set, Rows: 1}, tsm.Digest{Applied: more}
	bad := errors.New("no answer")
	for _, c := range []struct {
		digests []tsm.Digest
		errs    []error
		want    string
	}{
		{nil, nil, adminapi.Unreachable},
		{[]tsm.Digest{x}, []error{nil}, adminapi.Equal},
		{[]tsm.Digest{x, x, {}}, []error{nil, nil, bad}, adminapi.Unreachable},
		{[]tsm.Digest{{}, x, y}, []error{bad, nil, nil}, adminapi.Unequal},
		{[]tsm.Digest{x, z, y}, []error{nil, nil, nil}, adminapi.Unequal},
		{[]tsm.Digest{x, z, x}, []error{nil, nil, nil}, adminapi.Busy},
		{[]tsm.Digest{x, z, {}}, []error{nil, nil, bad}, adminapi.Unreachable},
	} {
		if got := judge(c.digests, c.errs); got != c.want {
			t.Errorf("%+v, %v: got %s, want %s", c.digests, c.errs, got, c.want)
		}
	}
}
