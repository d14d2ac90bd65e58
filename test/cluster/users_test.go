package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/internal/certificate/certificatetest"
	"github.com/varvedb/varve/test/harness"
)

// guarded is a cluster that asks on HTTPS who sends a request, and whose nodes speak
// with certificates of one authority.
type guarded struct {
	*harness.Cluster
	authority *certificatetest.Authority
	dirs      []string // with the certificate of each node
	client    *http.Client
}

func newGuarded(t *testing.T, nodes int, flags ...string) *guarded {
	t.Helper()
	g := &guarded{Cluster: harness.NewCluster(t, binaries.varved), authority: certificatetest.NewAuthority(t)}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(g.authority.PEM())
	g.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	token := filepath.Join(t.TempDir(), "join-token")
	if err := os.WriteFile(token, []byte("a secret that all nodes are given\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		g.dirs = append(g.dirs, t.TempDir())
		n := g.Add(append([]string{
			"--http-auth-enabled", "true", "--http-https-enabled", "--join-token-file", token,
			"--tls-certificate", filepath.Join(g.dirs[i], "cert.pem"), "--tls-key", filepath.Join(g.dirs[i], "key.pem"), "--tls-ca", filepath.Join(g.dirs[i], "ca.pem"),
		}, flags...)...)
		g.sign(t, i, "first")
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		n.Client = g.client
	}
	return g
}

// sign gives a node another certificate.
func (g *guarded) sign(t *testing.T, i int, name string) {
	t.Helper()
	g.authority.Write(t, g.dirs[i], name, time.Now().Add(100*24*time.Hour), net.ParseIP(g.Nodes[i].Host))
}

// shown gives the name in the certificate that a port of a node shows.
func (g *guarded) shown(n *harness.Node, port string) (string, error) {
	// A client without a certificate of its own is refused only after it saw that.
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
	c, err := tls.Dial("tcp", net.JoinHostPort(n.Host, port), config)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

// account is who sends a request: "NAME:PASSWORD", or a token.
type account string

// send sends a request and gives the status and the body of the answer.
func send(t *testing.T, n *harness.Node, who account, method, path, body string) (int, string) {
	t.Helper()
	resp := begin(t, n, who, method, path, body)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// begin is send without reading the answer.
func begin(t *testing.T, n *harness.Node, who account, method, path, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, n.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if who != "" {
		r.Header.Set("Authorization", "Token "+string(who))
	}
	client := n.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func statement(text string) string { return "/query?db=db&q=" + url.QueryEscape(text) }

// must runs statements that may not fail.
func must(t *testing.T, n *harness.Node, who account, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if status, body := send(t, n, who, http.MethodPost, statement(text), ""); status != http.StatusOK || strings.Contains(body, "error") {
			t.Fatalf("%s: %s: %d %s", n.Name, text, status, body)
		}
	}
}

// settles waits until all nodes answer with a status, and fails the test if one does
// not answer so what it is asked a second after the change.
func settles(t *testing.T, c *harness.Cluster, what string, want int, ask func(n *harness.Node) int) {
	t.Helper()
	began := time.Now()
	for _, n := range c.Nodes {
		for {
			asked := time.Since(began)
			got := ask(n)
			if got == want {
				break
			}
			if asked > time.Second {
				t.Errorf("%s: %s answers %d after %v, want %d", what, n.Name, got, asked, want)
				break
			}
		}
	}
	t.Logf("%s: everywhere within %v", what, time.Since(began).Round(time.Millisecond))
}

func TestUsersCountOnEveryNode(t *testing.T) {
	g := newGuarded(t, 3)
	a, b, c := g.Nodes[0], g.Nodes[1], g.Nodes[2]

	// Of many who ask two nodes at once for the first administrator one is made.
	var mu sync.Mutex
	var root account
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := fmt.Sprint("root", i)
			status, body := send(t, g.Nodes[1+i%2], "", http.MethodPost, statement("CREATE USER "+name+" WITH PASSWORD 'pw' WITH ALL PRIVILEGES"), "")
			if status != http.StatusOK || strings.Contains(body, "error") {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if root != "" {
				t.Errorf("%s and %s were made", root, name)
			}
			root = account(name + ":pw")
		})
	}
	all.Wait()
	must(t, a, root, "CREATE DATABASE db", "CREATE USER ann WITH PASSWORD 'one'", "GRANT ALL ON db TO ann", "CREATE USER bob WITH PASSWORD 'bob'")

	write := func(who account) func(*harness.Node) int {
		return func(n *harness.Node) int {
			status, _ := send(t, n, who, http.MethodPost, "/write?db=db", "m v=1")
			return status
		}
	}
	read := func(who account) func(*harness.Node) int {
		return func(n *harness.Node) int {
			status, _ := send(t, n, who, http.MethodGet, statement("SELECT last(v) FROM m"), "")
			return status
		}
	}
	at := func(want int, ask func(*harness.Node) int) {
		t.Helper()
		for _, n := range g.Nodes {
			if got := ask(n); got != want {
				t.Errorf("%s answers %d, want %d", n.Name, got, want)
			}
		}
	}
	at(http.StatusNoContent, write("ann:one"))
	at(http.StatusOK, read("ann:one"))
	at(http.StatusForbidden, read("bob:bob"))

	// What is given counts at once, since nobody is refused before a look into etcd;
	// what is taken counts within a second.
	must(t, a, root, "SET PASSWORD FOR ann = 'two'")
	at(http.StatusOK, read("ann:two"))
	settles(t, g.Cluster, "the old password is refused", http.StatusUnauthorized, read("ann:one"))
	must(t, b, root, "GRANT READ ON db TO bob")
	at(http.StatusOK, read("bob:bob"))
	at(http.StatusForbidden, write("bob:bob"))
	must(t, c, root, "REVOKE READ ON db FROM bob")
	settles(t, g.Cluster, "the revoked grant is refused", http.StatusForbidden, read("bob:bob"))
	must(t, a, root, "DROP USER bob")
	settles(t, g.Cluster, "the dropped user is refused", http.StatusUnauthorized, read("bob:bob"))

	said := ctlAs(t, g, a, root, "token", "create", "--write", "db", "collector")
	token := account(strings.Fields(said)[0])
	at(http.StatusNoContent, write(token))
	at(http.StatusForbidden, read(token))
	ctlAs(t, g, b, root, "token", "revoke", "collector")
	settles(t, g.Cluster, "the revoked token is refused", http.StatusUnauthorized, write(token))

	ctlAs(t, g, c, root, "limit", "db", "--write-points", "1")
	for _, n := range g.Nodes {
		write(root)(n)
	}
	settles(t, g.Cluster, "what is above a quota is refused", http.StatusServiceUnavailable, write(root))
	ctlAs(t, g, a, root, "limit", "db", "--write-points", "none")
	settles(t, g.Cluster, "the quota is gone", http.StatusNoContent, write(root))
	for _, n := range g.Nodes {
		for _, command := range []string{"top", "cardinality", "status", "limit", "token list"} {
			ctlAs(t, g, n, root, strings.Fields(command)...)
		}
	}

	kill(t, g, root)

	// Each node recorded what it was asked itself.
	for n, want := range map[*harness.Node][]string{a: {"set password user", "drop user"}, b: {"grant"}, c: {"revoke"}} {
		file, err := os.ReadFile(filepath.Join(n.Dir, "audit", "audit.log"))
		if err != nil {
			t.Fatal(err)
		}
		var done []string
		for line := range strings.Lines(string(file)) {
			var e struct{ Action, Outcome string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%s: %s: %v", n.Name, line, err)
			}
			if e.Outcome == "ok" && slices.Contains([]string{"set password user", "drop user", "grant", "revoke"}, e.Action) {
				done = append(done, e.Action)
			}
		}
		if n == a {
			want = append([]string{"grant"}, want...) // of the beginning
		}
		if !slices.Equal(done, want) {
			t.Errorf("%s recorded %q, want %q", n.Name, done, want)
		}
	}

	// The certificates of all ports are replaced, and no request fails.
	for i := range g.Nodes {
		g.sign(t, i, "second")
	}
	for _, n := range g.Nodes {
		for _, port := range []string{"8086", "8088", "2379"} {
			eventually(t, 10*time.Second, func() error {
				at(http.StatusNoContent, write("ann:two"))
				if name, err := g.shown(n, port); err != nil || name != "second" {
					return fmt.Errorf("port %s of %s shows the certificate %q, %v", port, n.Name, name, err)
				}
				return nil
			})
		}
	}
	at(http.StatusOK, read("ann:two"))
}

// kill ends a query of one node, whose client reads slowly, from another one.
func kill(t *testing.T, g *guarded, root account) {
	t.Helper()
	var lines strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&lines, "big v=%d %d\n", i, base.UnixNano()+int64(i))
	}
	if status, body := send(t, g.Nodes[1], root, http.MethodPost, "/write?db=db", lines.String()); status != http.StatusNoContent {
		t.Fatalf("write: %d %s", status, body)
	}
	resp := begin(t, g.Nodes[1], root, http.MethodGet, statement("SELECT sin(v), cos(v), tan(v), sin(v) * cos(v), sin(v) - cos(v), cos(v) - tan(v) FROM big"), "")
	defer resp.Body.Close()
	var host string
	var id float64
	eventually(t, 5*time.Second, func() error {
		var doc struct {
			Results []struct{ Series []struct{ Values [][]any } }
		}
		_, body := send(t, g.Nodes[0], root, http.MethodGet, statement("SHOW QUERIES"), "")
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			return err
		}
		for _, row := range doc.Results[0].Series[0].Values {
			if strings.Contains(row[1].(string), "FROM big") {
				id, host = row[0].(float64), row[6].(string)
				return nil
			}
		}
		return fmt.Errorf("SHOW QUERIES on another node gives %s", body)
	})
	text := fmt.Sprintf("KILL QUERY %v ON %q", id, host)
	if status, _ := send(t, g.Nodes[2], "ann:two", http.MethodPost, statement(text), ""); status != http.StatusForbidden {
		t.Errorf("%s by a user gave %d", text, status)
	}
	must(t, g.Nodes[2], root, text)
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("the query that was killed gave a whole answer of %d bytes", n)
	}
}

// ctlAs runs varve ctl for an account.
func ctlAs(t *testing.T, g *guarded, n *harness.Node, who account, args ...string) string {
	t.Helper()
	name, password, _ := strings.Cut(string(who), ":")
	cmd := exec.Command(binaries.varve, append([]string{"ctl", "--host", n.URL}, args...)...)
	cmd.Env = append(os.Environ(), "INFLUX_USERNAME="+name, "INFLUX_PASSWORD="+password, "SSL_CERT_FILE="+filepath.Join(g.dirs[0], "ca.pem"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: ctl %s: %v\n%s", n.Name, args, err, out)
	}
	return string(out)
}

func TestUsersGoOnWithoutEtcd(t *testing.T) {
	if !*long {
		t.Skip("takes half a minute: -long")
	}
	etcds := harness.StartEtcds(t, 3)
	var endpoints []string
	for _, e := range etcds {
		endpoints = append(endpoints, e.Endpoint)
	}
	cl := harness.NewCluster(t, binaries.varved)
	cl.Start(3, "--etcd-endpoints", strings.Join(endpoints, ","), "--http-auth-enabled", "true")
	a, c := cl.Nodes[0], cl.Nodes[2]
	must(t, a, "", "CREATE USER root WITH PASSWORD 'pw' WITH ALL PRIVILEGES")
	must(t, a, "root:pw", "CREATE DATABASE db", "CREATE USER ann WITH PASSWORD 'ann'", "GRANT ALL ON db TO ann", "CREATE USER eve WITH PASSWORD 'eve'")
	asks := func(n *harness.Node, who account, want int) {
		t.Helper()
		began := time.Now()
		if status, body := send(t, n, who, http.MethodPost, "/write?db=db", "m v=1"); status != want || time.Since(began) > 6*time.Second {
			t.Errorf("%s: a write of %s gave %d in %v, want %d: %s", n.Name, who, status, time.Since(began), want, body)
		}
	}
	var made struct{ Token account }
	_, body := send(t, a, "root:pw", http.MethodPost, adminapi.Prefix+"/tokens", `{"name":"collector","write":["db"]}`)
	if err := json.Unmarshal([]byte(body), &made); err != nil || made.Token == "" {
		t.Fatalf("a token: %s, %v", body, err)
	}
	unknown := "varve_999_" + account(strings.Repeat("A", 43))
	for _, n := range cl.Nodes {
		asks(n, "ann:ann", http.StatusNoContent)
		asks(n, made.Token, http.StatusNoContent)
	}
	asks(a, "ann:wrong", http.StatusUnauthorized)
	asks(a, unknown, http.StatusUnauthorized)
	for _, e := range etcds[:2] {
		e.Stop()
	}
	// A quorum is gone. What is right by what a node knows goes on, also where the
	// password was never seen before and after a restart; nothing is refused for good.
	for _, n := range cl.Nodes {
		asks(n, "ann:ann", http.StatusNoContent)
		asks(n, "root:pw", http.StatusNoContent)
		asks(n, "ann:wrong", http.StatusServiceUnavailable)
		asks(n, "nobody:x", http.StatusServiceUnavailable)
		asks(n, "eve:eve", http.StatusServiceUnavailable) // a grant may have been made
		asks(n, made.Token, http.StatusNoContent)
		asks(n, unknown, http.StatusServiceUnavailable)
		if status, body := send(t, n, "root:pw", http.MethodPost, statement("SET PASSWORD FOR ann = 'x'"), ""); status != http.StatusServiceUnavailable {
			t.Errorf("%s: a change gave %d %s", n.Name, status, body)
		}
		if status, body := send(t, n, "root:pw", http.MethodGet, statement("SHOW USERS"), ""); status != http.StatusOK {
			t.Errorf("%s: SHOW USERS gave %d %s", n.Name, status, body)
		}
		if status, body := send(t, n, "ann:ann", http.MethodGet, "/readyz", ""); status != http.StatusOK {
			t.Errorf("%s: /readyz gives %d %s", n.Name, status, body)
		}
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if err := c.Start(); err != nil {
		t.Error(err)
	} else {
		asks(c, "ann:ann", http.StatusNoContent)
		asks(c, "ann:wrong", http.StatusServiceUnavailable)
	}
	for _, e := range etcds[:2] {
		e.Start()
	}
	eventually(t, 30*time.Second, func() error {
		if status, body := send(t, a, "nobody:x", http.MethodGet, statement("SHOW DATABASES"), ""); status != http.StatusUnauthorized {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
}
