package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/meta"
)

// testLog shows what the members say when the environment asks for it.
func testLog(name string) *slog.Logger {
	if os.Getenv("VARVE_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})).With("at", name)
}

// addresses counts those that were given.
var addresses atomic.Int32

// address gives an address that the kernel has just had free. Its host is of
// this process and this call alone, and no connection begins there: nothing else
// takes the port meanwhile.
func address(t *testing.T) string {
	t.Helper()
	number := os.Getpid()*256 + int(addresses.Add(1))
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 129+number>>16%126, number>>8&0xff, 1+number&0x7f))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// member gives the settings of a member with ports of its own.
func member(t *testing.T, name string) Config {
	t.Helper()
	c := DefaultConfig()
	c.Name = name
	c.Client, c.Peer = Port{Listen: address(t)}, Port{Listen: address(t)}
	return c
}

func startMember(t *testing.T, dir string, c Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), dir, c, testLog(c.Name))
	if err != nil {
		t.Fatalf("start %s: %v", c.Name, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close %s: %v", c.Name, err)
		}
	})
	return s
}

// joinMember starts a member that joins through an endpoint, and waits for its
// vote.
func joinMember(t *testing.T, dir string, c Config, through string) *Server {
	t.Helper()
	client := connect(t, ClientConfig{Endpoints: []string{through}, TLS: c.Client.TLS})
	var err error
	if c.InitialCluster, err = client.Join(t.Context(), c.Name, c.Peer); err != nil {
		t.Fatalf("join %s: %v", c.Name, err)
	}
	s := startMember(t, dir, c)
	await(t, c.Name+" votes", func() bool {
		members, err := client.Members(t.Context())
		return err == nil && slices.ContainsFunc(members, func(m Member) bool { return m.Name == c.Name && !m.Learner })
	})
	return s
}

func connect(t *testing.T, cfg ClientConfig) *Client {
	t.Helper()
	c, err := Connect(cfg, testLog("client"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// await fails the test when something does not become true in 20 s.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !is() {
		if pace.Sleep(ctx, 20*time.Millisecond) != nil {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// write puts a key within the time that a Store has for a change.
func write(t *testing.T, c *Client, key, value string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, _, err := c.Txn(ctx, nil, []meta.Op{meta.Put(key, []byte(value))})
	return err
}

func read(t *testing.T, c *Client, key string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	item, _, err := c.Get(ctx, key)
	if err != nil {
		t.Errorf("read %s: %v", key, err)
	}
	return string(item.Value)
}

func TestThreeMembersGoOnWithoutTheirLeader(t *testing.T) {
	t.Parallel()
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	configs := []Config{member(t, "a"), member(t, "b"), member(t, "c")}
	a := startMember(t, dirs[0], configs[0])
	if err := write(t, a.Client, "/k", "before"); err != nil {
		t.Fatal(err)
	}
	b := joinMember(t, dirs[1], configs[1], configs[0].Client.Listen)
	joinMember(t, dirs[2], configs[2], configs[0].Client.Listen)
	client := connect(t, ClientConfig{Endpoints: []string{configs[0].Client.Listen, configs[1].Client.Listen, configs[2].Client.Listen}})
	if _, err := client.Join(t.Context(), "d", Port{Listen: address(t)}); !errors.Is(err, ErrEnoughMembers) {
		t.Errorf("a fourth member: %v", err)
	}
	watch := client.Watch(t.Context(), "/k", 1)
	if c := <-watch; len(c.Changes) != 1 || string(c.Changes[0].Value) != "before" {
		t.Errorf("watch sent %+v", c)
	}
	if a.etcd.Server.Leader() != a.etcd.Server.MemberID() {
		t.Log("the first member does not lead any more")
	}

	began := time.Now()
	if err := a.Close(); err != nil {
		t.Fatalf("close the leader: %v", err)
	}
	t.Logf("the leader closed in %s", time.Since(began))
	if a.etcd.Server.Leader() == a.etcd.Server.MemberID() {
		t.Error("the leadership was not handed over")
	}
	began = time.Now()
	if err := write(t, b.Client, "/k", "after"); err != nil {
		t.Errorf("write after the leader closed: %v", err)
	}
	t.Logf("write after that took %s", time.Since(began))
	if got := read(t, client, "/k"); got != "after" {
		t.Errorf("read through a client: %q", got)
	}
	for c := range watch {
		if len(c.Changes) > 0 {
			if string(c.Changes[0].Value) != "after" {
				t.Errorf("watch sent %+v", c)
			}
			break
		}
	}

	// It comes back, at another address.
	configs[0].Client, configs[0].Peer = Port{Listen: address(t)}, Port{Listen: address(t)}
	a = startMember(t, dirs[0], configs[0])
	await(t, "the others know the new address", func() bool {
		members, err := client.Members(t.Context())
		return err == nil && slices.ContainsFunc(members, func(m Member) bool {
			return m.Name == "a" && m.PeerURLs[0] == "http://"+configs[0].Peer.Listen && slices.Contains(m.ClientURLs, "http://"+configs[0].Client.Listen)
		})
	})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := write(t, a.Client, "/k", "last"); err != nil {
		t.Errorf("write with the moved member and one more: %v", err)
	}
}

func TestWipedMemberIsReplaced(t *testing.T) {
	t.Parallel()
	configs := []Config{member(t, "a"), member(t, "b"), member(t, "c")}
	a := startMember(t, t.TempDir(), configs[0])
	joinMember(t, t.TempDir(), configs[1], configs[0].Client.Listen)
	c := joinMember(t, t.TempDir(), configs[2], configs[0].Client.Listen)
	before, err := a.Members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	joinMember(t, t.TempDir(), configs[2], configs[0].Client.Listen)
	after, err := a.Members(t.Context())
	if err != nil || len(after) != 3 {
		t.Fatalf("members: %+v, %v", after, err)
	}
	id := func(in []Member) uint64 {
		return in[slices.IndexFunc(in, func(m Member) bool { return m.Name == "c" })].ID
	}
	if id(before) == id(after) {
		t.Error("the new directory got the member id of the lost one")
	}
	if err := write(t, a.Client, "/k", "x"); err != nil {
		t.Error(err)
	}
}

// etcd gives a member that is added anew within a second the id of the removed
// one, and refuses it.
func TestJoinCanBeRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	a, b := member(t, "a"), member(t, "b")
	s := startMember(t, t.TempDir(), a)
	for range 3 {
		if _, err := s.Join(t.Context(), b.Name, b.Peer); err != nil {
			t.Fatalf("join b: %v", err)
		}
	}
	joinMember(t, t.TempDir(), b, a.Client.Listen)
}

// unheard is an etcd that adds members and does not say so, as one whose leader
// changes meanwhile.
type unheard struct {
	clientv3.Cluster
	lost atomic.Int32
}

func (u *unheard) MemberAddAsLearner(ctx context.Context, urls []string) (*clientv3.MemberAddResponse, error) {
	r, err := u.Cluster.MemberAddAsLearner(ctx, urls)
	if err == nil && u.lost.Add(1) == 1 {
		return nil, rpctypes.ErrLeaderChanged
	}
	return r, err
}

func TestJoinTakesTheMemberThatWasAddedUnheard(t *testing.T) {
	t.Parallel()
	a, b := member(t, "a"), member(t, "b")
	s := startMember(t, t.TempDir(), a)
	client := connect(t, ClientConfig{Endpoints: []string{a.Client.Listen}})
	etcd, err := client.order()[0].client()
	if err != nil {
		t.Fatal(err)
	}
	etcd.Cluster = &unheard{Cluster: etcd.Cluster}
	cluster, err := client.Join(t.Context(), b.Name, b.Peer)
	if err != nil {
		t.Fatalf("join b: %v", err)
	}
	if want := "b=http://" + b.Peer.Listen; !slices.Contains(strings.Split(cluster, ","), want) {
		t.Errorf("join gave the cluster %s, want %s in it", cluster, want)
	}
	members, err := s.Members(t.Context())
	if err != nil || len(members) != 2 {
		t.Fatalf("members: %+v, %v", members, err)
	}
	b.InitialCluster = cluster
	startMember(t, t.TempDir(), b)
	await(t, "b votes", func() bool {
		members, err := s.Members(t.Context())
		return err == nil && len(members) == 2 && !members[0].Learner && !members[1].Learner
	})
}

func TestMemberWithoutPortsBecomesOneThatOthersCanJoin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	alone := start(t, dir)
	if err := write(t, alone.Client, "/k", "x"); err != nil {
		t.Fatal(err)
	}
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	configs := []Config{member(t, "a"), member(t, "b")}
	a := startMember(t, dir, configs[0])
	await(t, "it tells its address", func() bool {
		members, err := a.Members(t.Context())
		return err == nil && members[0].PeerURLs[0] == "http://"+configs[0].Peer.Listen
	})
	b := joinMember(t, t.TempDir(), configs[1], configs[0].Client.Listen)
	if got := read(t, b.Client, "/k"); got != "x" {
		t.Errorf("the second member reads %q", got)
	}
}

func TestStartDoesNotWaitForTheOthers(t *testing.T) {
	t.Parallel()
	dirs := []string{t.TempDir(), t.TempDir()}
	configs := []Config{member(t, "a"), member(t, "b")}
	a := startMember(t, dirs[0], configs[0])
	b := joinMember(t, dirs[1], configs[1], configs[0].Client.Listen)
	for _, s := range []*Server{b, a} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	a = startMember(t, dirs[0], configs[0])
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := a.Get(ctx, "/k"); err == nil {
		t.Error("one of two members answered")
	}
	startMember(t, dirs[1], configs[1])
	await(t, "both answer", func() bool { return write(t, a.Client, "/k", "x") == nil })
}

// An endpoint that takes connections and says nothing, as a stopped process
// does, must not use up the time that a change has.
func TestSilentEndpointCostsAPartOfTheTime(t *testing.T) {
	t.Parallel()
	cfg := member(t, "a")
	startMember(t, t.TempDir(), cfg)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	client := connect(t, ClientConfig{Endpoints: []string{silent.Addr().String(), "127.0.0.1:1", cfg.Client.Listen}})
	if err := write(t, client, "/k", "x"); err != nil {
		t.Errorf("first write: %v", err)
	}
	// A third of this time would go by at the silent one.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	began := time.Now()
	if _, _, err := client.Txn(ctx, nil, []meta.Op{meta.Put("/k", []byte("y"))}); err != nil {
		t.Errorf("second write: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("with the silent endpoint known a write took %s", took)
	}
	c := <-client.Watch(t.Context(), "/k", 1)
	if len(c.Changes) == 0 {
		t.Errorf("watch sent %+v", c)
	}
}

// A watch that begins, or goes on, while the members that are known are gone or
// stopped finds the one that is there.
func TestWatchLeavesEndpointsThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	cfg := member(t, "a")
	s := startMember(t, t.TempDir(), cfg)
	if err := write(t, s.Client, "/k", "x"); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for what, gone := range map[string]string{"one that is gone": "127.0.0.1:1", "one that is stopped": silent.Addr().String()} {
		client := connect(t, ClientConfig{Endpoints: []string{gone, cfg.Client.Listen}})
		select {
		case c := <-client.Watch(t.Context(), "/k", 1):
			if len(c.Changes) != 1 || string(c.Changes[0].Value) != "x" {
				t.Errorf("with %s the watch sent %+v", what, c)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("with %s the watch sent nothing", what)
		}
	}
}

func TestExternalEtcdWithTLSAndUser(t *testing.T) {
	t.Parallel()
	files := certificates(t)
	port := Port{Listen: address(t), TLS: files}
	c := embed.NewConfig()
	c.Dir = t.TempDir()
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.ListenClientUrls, c.AdvertiseClientUrls = port.urls()
	c.ListenPeerUrls = nil
	c.ClientTLSInfo = files.info()
	c.BcryptCost = 4 // its default takes seconds under the race detector
	external, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(external.Server.Stop)
	<-external.Server.ReadyNotify()
	admin := v3client.New(external.Server)
	t.Cleanup(func() { admin.Close() })
	for what, err := range map[string]error{
		"add role": second(admin.RoleAdd(t.Context(), "root")),
		"add user": second(admin.UserAdd(t.Context(), "root", "secret")),
	} {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if err := errors.Join(second(admin.UserGrantRole(t.Context(), "root", "root")), second(admin.AuthEnable(t.Context()))); err != nil {
		t.Fatal(err)
	}
	right := ClientConfig{Endpoints: []string{port.Listen}, TLS: files, User: "root", Password: "secret"}
	client := connect(t, right)
	if err := write(t, client, "/k", "x"); err != nil {
		t.Errorf("write as the user: %v", err)
	}
	if got := <-client.Watch(t.Context(), "/k", 1); len(got.Changes) != 1 {
		t.Errorf("watch as the user sent %+v", got)
	}
	for what, edit := range map[string]func(*ClientConfig){
		"without TLS":    func(c *ClientConfig) { c.TLS = TLS{} },
		"wrong password": func(c *ClientConfig) { c.Password = "x" },
		"without a user": func(c *ClientConfig) { c.User, c.Password = "", "" },
	} {
		wrong := right
		edit(&wrong)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, _, err := connect(t, wrong).Txn(ctx, nil, []meta.Op{meta.Put("/k", nil)}); err == nil {
			t.Errorf("%s: a write was done", what)
		}
		cancel()
	}
}

func second[T any](_ T, err error) error { return err }

func TestMembersSpeakTLS(t *testing.T) {
	t.Parallel()
	files := certificates(t)
	configs := []Config{member(t, "a"), member(t, "b")}
	for i := range configs {
		configs[i].Client.TLS, configs[i].Peer.TLS = files, files
	}
	a := startMember(t, t.TempDir(), configs[0])
	b := joinMember(t, t.TempDir(), configs[1], configs[0].Client.Listen)
	if err := write(t, a.Client, "/k", "x"); err != nil {
		t.Error(err)
	}
	if got := read(t, b.Client, "/k"); got != "x" {
		t.Errorf("the second member reads %q", got)
	}
	began := time.Now()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("closed in %s", time.Since(began))
}

func TestFullDiskStopsAMemberBeforeItBreaks(t *testing.T) {
	t.Parallel()
	dir, cfg := t.TempDir(), member(t, "a")
	s := newServer(dir, cfg, testLog("a"))
	var full atomic.Bool
	s.free = func() (uint64, error) {
		if full.Load() {
			return 0, nil
		}
		return 1 << 30, nil
	}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := write(t, s.Client, "/k", "x"); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	select {
	case <-s.Failed():
	case <-time.After(20 * time.Second):
		t.Fatal("it did not stop")
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if got := read(t, startMember(t, dir, cfg).Client, "/k"); got != "x" {
		t.Errorf("with room again it reads %q", got)
	}
}

// What makes etcd end its process is an error of Start here.
func TestDamagedLogIsAnError(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	if err := write(t, s.Client, "/k", "x"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "member/wal/*.wal"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	if err := os.WriteFile(logs[0], []byte(strings.Repeat("x", 1<<12)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), dir, DefaultConfig(), slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("it started")
	}
	t.Log(err)
}
