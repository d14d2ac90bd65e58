package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/cmd/varved/config"
	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/test/harness"
)

// member starts a node of a cluster at ports that the kernel chooses; so it
// comes back at others.
func member(t *testing.T, dir, name string, flags ...string) *harness.Process {
	t.Helper()
	return memberAt(t, "127.0.0.1", dir, name, flags...)
}

func memberAt(t *testing.T, host, dir, name string, flags ...string) *harness.Process {
	t.Helper()
	return start(t, dir, append([]string{"--node-name", name}, append(ports(host), flags...)...)...)
}

func ports(host string) []string {
	any := net.JoinHostPort(host, "0")
	return []string{"--rpc-bind-address", any, "--meta-client-address", any, "--meta-peer-address", any}
}

// nodes gives the members of the cluster as a node sees them, by name.
func nodes(t *testing.T, p *harness.Process) map[string]adminapi.Node {
	t.Helper()
	r, err := http.Get(p.URL + adminapi.Prefix + "/nodes")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var all []adminapi.Node
	if err := json.NewDecoder(r.Body).Decode(&all); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("the nodes: %s, %v", r.Status, err)
	}
	out := make(map[string]adminapi.Node)
	for _, n := range all {
		out[n.Name] = n
	}
	return out
}

// counts waits until a query over all rows gives n.
func counts(t *testing.T, p *harness.Process, n string) {
	t.Helper()
	var got string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = ask(t, p, "garden", "SELECT count(moisture) FROM soil"); strings.Contains(got, "[0,"+n+"]") {
			return
		}
	}
	t.Fatalf("the count is %s, want %s", got, n)
}

func TestNodesFormAClusterThatOutlivesEach(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	n1 := member(t, dirs[0], "n1")
	ask(t, n1, "", "CREATE DATABASE garden")
	post(t, n1, "garden", garden)
	join := nodes(t, n1)["n1"].RPC
	n2 := member(t, dirs[1], "n2", "--join", join)
	n3 := member(t, dirs[2], "n3", "--join", "127.0.0.1:1,"+join)
	post(t, n3, "garden", "soil,bed=west moisture=1 1700000000000000001")
	for _, p := range []*harness.Process{n1, n2, n3} {
		counts(t, p, "3")
	}

	// The first one goes, and comes back elsewhere, without --join.
	before := nodes(t, n2)["n1"]
	n1.Kill()
	post(t, n2, "garden", "soil,bed=west moisture=1 1700000000000000002")
	counts(t, n3, "4")
	n1 = member(t, dirs[0], "n1")
	after := nodes(t, n1)["n1"]
	if after.ID != before.ID || after.RPC == before.RPC {
		t.Errorf("the node came back as %+v, it was %+v", after, before)
	}
	counts(t, n1, "4")

	// One that lost its directory takes its own place; started as the first time.
	lost := nodes(t, n1)["n2"].ID
	n2.Kill()
	if err := os.RemoveAll(dirs[1]); err != nil {
		t.Fatal(err)
	}
	n2 = member(t, dirs[1], "n2", "--join", nodes(t, n1)["n1"].RPC)
	if id := nodes(t, n1)["n2"].ID; id == lost {
		t.Errorf("the wiped node is still node %d", id)
	}
	counts(t, n2, "4")
	// A name that is alive is not given away.
	refused(t, `node name "n3" is taken`, nil, append([]string{
		"--data-dir", t.TempDir(), "--http-bind-address", "127.0.0.1:0", "--node-name", "n3", "--join", nodes(t, n1)["n1"].RPC,
	}, ports("127.0.0.1")...)...)

	for _, p := range []*harness.Process{n1, n2, n3} {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestADirectoryOfAnotherClusterIsRefused(t *testing.T) {
	ours, theirs := member(t, t.TempDir(), "n1"), t.TempDir()
	if err := member(t, theirs, "n2").Stop(); err != nil {
		t.Fatal(err)
	}
	refused(t, "refused by the other node: this is cluster", nil, append([]string{
		"--data-dir", theirs, "--http-bind-address", "127.0.0.1:0", "--node-name", "n2", "--join", nodes(t, ours)["n1"].RPC,
	}, ports("127.0.0.1")...)...)
	if !strings.Contains(ours.Log(), "the caller is of cluster") {
		t.Errorf("the member says nothing of it: %s", ours.Log())
	}
}

// A node that joins through one that has just started, and may be waiting for
// the others still, must be told where etcd is: it has nobody else to ask.
func TestMemberKnowsWhereEtcdIsFromItsStart(t *testing.T) {
	s := &server{
		cfg: config.Config{
			NodeName: "n1", Roles: []meta.Role{meta.RoleMeta},
			RPC: config.Port{Listen: "127.0.0.1:1"}, MetaClient: config.Port{Listen: "127.0.0.1:0"}, MetaPeer: config.Port{Listen: "127.0.0.1:0"},
		},
		log: slog.New(slog.DiscardHandler), fs: vfs.OS, dir: filepath.ToSlash(t.TempDir()),
		known: &clusterFile{Etcd: []string{"http://127.0.0.1:1"}},
	}
	if err := s.choosePorts(); err != nil {
		t.Fatal(err)
	}
	if err := s.openEtcd(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	want := []string{"http://" + s.cfg.MetaClient.Listen, "http://127.0.0.1:1"}
	if got, external := s.etcd.at(); !slices.Equal(got, want) || external {
		t.Errorf("etcd is at %q (external %v), want %q", got, external, want)
	}
}

func TestAChosenPortIsNobodyElses(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1", ""} {
		h, err := holdPort(net.ParseIP(host))
		if err != nil {
			t.Logf("%q: %v", host, err) // a machine without IPv6
			continue
		}
		at := net.JoinHostPort(host, strconv.Itoa(h.number))
		if l, err := net.Listen("tcp", at); err == nil {
			t.Errorf("%s was taken by another", at)
			l.Close()
		}
		for range 200 {
			l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
			if err != nil {
				t.Fatal(err)
			}
			if l.Addr().(*net.TCPAddr).Port == h.number {
				t.Errorf("%s was chosen again", at)
			}
			l.Close()
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRolesApart(t *testing.T) {
	keeper := member(t, t.TempDir(), "meta", "--roles", "meta")
	join := nodes(t, keeper)["meta"].RPC
	dataDir, coordinatorDir := t.TempDir(), t.TempDir()
	store := member(t, dataDir, "data", "--roles", "data", "--join", join)
	front := member(t, coordinatorDir, "coordinator", "--roles", "coordinator", "--join", join)
	ask(t, front, "", "CREATE DATABASE garden")
	post(t, front, "garden", garden)
	if got := ask(t, front, "garden", "SELECT * FROM soil"); got != wantGarden {
		t.Errorf("the coordinator answers %s, want %s", got, wantGarden)
	}
	for _, p := range []*harness.Process{keeper, store} {
		r, err := http.Post(p.URL+"/write?db=garden", "text/plain", strings.NewReader(garden))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a write to a node that is no coordinator gave %s", r.Status)
		}
		if r, err = http.Get(p.URL + "/query?db=garden&q=SELECT+*+FROM+soil"); err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a query at a node that is no coordinator gave %s", r.Status)
		}
		if r, err = http.Get(p.URL + "/ping"); err != nil || r.StatusCode != http.StatusNoContent {
			t.Errorf("/ping gave %v, %v", r, err)
		}
		r.Body.Close()
		if got := ready(t, p); got != "503 this node takes no writes and no queries: it has not the role coordinator\n" {
			t.Errorf("/readyz of a node that is no coordinator gave %s", got)
		}
	}
	if got := ready(t, front); got != "200 ok\n" {
		t.Errorf("/readyz of the coordinator gave %s", got)
	}
	if _, err := os.Stat(filepath.Join(coordinatorDir, "shards")); err == nil {
		t.Error("a node that is only coordinator has shards")
	}
	if _, err := os.Stat(filepath.Join(dataDir, "meta", "etcd")); err == nil {
		t.Error("a node without the role meta has an etcd")
	}
}

// ready gives what a node answers to who asks whether to send requests to it.
func ready(t *testing.T, p *harness.Process) string {
	t.Helper()
	status, body := send(t, p, http.MethodGet, "/readyz", "", "")
	return fmt.Sprint(status, " ", body)
}

func TestNoRequestsShouldBeSentToANodeThatIsDrained(t *testing.T) {
	first := member(t, t.TempDir(), "first")
	second := member(t, t.TempDir(), "second", "--join", nodes(t, first)["first"].RPC)
	drain := func(cancel bool, want string) {
		t.Helper()
		if status, body := send(t, first, http.MethodPost, adminapi.Prefix+"/nodes/second/drain", "", fmt.Sprintf(`{"cancel":%t}`, cancel)); status != http.StatusOK {
			t.Fatalf("drain: %d %s", status, body)
		}
		for end := time.Now().Add(10 * time.Second); ready(t, second) != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("/readyz gives %s, want %s", ready(t, second), want)
			}
		}
	}
	drain(false, "503 this node is drained: it is to be removed\n")
	if status, body := send(t, second, http.MethodPost, statement("CREATE DATABASE db"), "", ""); status != http.StatusOK {
		t.Errorf("a request that is sent to it nevertheless: %d %s", status, body)
	}
	if got := ready(t, first); got != "200 ok\n" {
		t.Errorf("the other one: %s", got)
	}
	drain(true, "200 ok\n")
}

// beyond gives an address of this machine that is not loopback.
func beyond(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address beyond loopback")
	return ""
}

func TestBeyondLoopbackNodesNeedAToken(t *testing.T) {
	host := beyond(t)
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte(strings.Repeat("a shared secret ", 3)), 0o600); err != nil {
		t.Fatal(err)
	}
	n1 := memberAt(t, host, t.TempDir(), "n1", "--join-token-file", secret)
	r, err := http.Post(n1.URL+"/varve/v1/join-token", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var made struct{ Token string }
	if err := json.NewDecoder(r.Body).Decode(&made); err != nil || made.Token == "" {
		t.Fatalf("join-token gave %s, %v", r.Status, err)
	}
	join := nodes(t, n1)["n1"].RPC
	newcomer := func(dir, name string) []string {
		return append([]string{"--data-dir", dir, "--http-bind-address", "127.0.0.1:0", "--node-name", name, "--join", join}, ports(host)...)
	}
	refused(t, "join-token must be set", nil, newcomer(t.TempDir(), "n2")...)
	refused(t, "the join token is wrong or has expired", nil, append(newcomer(t.TempDir(), "n2"), "--join-token", strings.Repeat("another secret ", 3))...)
	if !strings.Contains(n1.Log(), "the join token is wrong or has expired") {
		t.Errorf("the member says nothing of it: %s", n1.Log())
	}

	dir := t.TempDir()
	n2 := memberAt(t, host, dir, "n2", "--join", join, "--join-token", made.Token)
	// A node without the role meta does not sign certificates: it names those
	// that do.
	n3 := memberAt(t, host, t.TempDir(), "n3", "--join", nodes(t, n2)["n2"].RPC, "--join-token", made.Token, "--roles", "data,coordinator")
	memberAt(t, host, t.TempDir(), "n4", "--join", nodes(t, n3)["n3"].RPC, "--join-token", made.Token, "--roles", "coordinator")
	ask(t, n3, "", "CREATE DATABASE garden")
	post(t, n2, "garden", garden)
	counts(t, n3, "2")
	if err := n2.Stop(); err != nil {
		t.Error(err)
	}
	n2 = memberAt(t, host, dir, "n2")
	counts(t, n2, "2")
}
