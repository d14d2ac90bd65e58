package clients

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/certificate/certificatetest"
	"github.com/varvedb/varve/test/harness"
)

// The administrator that every client here is.
const (
	user     = "admin"
	password = "pa%20&=/#+ss"
)

// secured is a server with authentication and TLS.
type secured struct {
	*harness.Process
	authority string // the file that clients trust
}

// startSecured gives a server for one test, or skips it.
func startSecured(t *testing.T, program string, flags ...string) *secured {
	t.Helper()
	ready(t, program)
	authority := certificatetest.NewAuthority(t)
	files := authority.Write(t, t.TempDir(), "server", time.Now().Add(time.Hour))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.PEM())
	server, err := harness.Start(*binary, t.TempDir(), append([]string{
		"--http-auth-enabled", "true", "--http-https-enabled", "--http-https-certificate", files.Certificate, "--http-https-private-key", files.Key,
	}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	server.Client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	server.Account = url.UserPassword(user, password)
	s := &secured{server, files.Authority}
	values(t, s.Process, "", `CREATE USER "`+user+`" WITH PASSWORD '`+password+`' WITH ALL PRIVILEGES`)
	return s
}

// port gives where it answers.
func (s *secured) port() string { return s.URL[strings.LastIndex(s.URL, ":")+1:] }

// await waits until a query has rows, and gives them.
func (s *secured) await(t *testing.T, db, text string) [][]any {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		rows, err := s.Query(db, text)
		if err == nil && len(rows) > 0 {
			return rows
		}
		if time.Now().After(end) {
			t.Fatalf("%s has no rows after a minute: %v", text, err)
		}
	}
}

// filled copies a file of testdata with words of it replaced.
func filled(t *testing.T, name string, oldnew ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(strings.NewReplacer(oldnew...).Replace(string(b))), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// background runs a program until the test ends, and gives what it says.
func background(t *testing.T, program string, args ...string) *strings.Builder {
	t.Helper()
	cmd := exec.Command(program, args...)
	log := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, log)
		}
	})
	return log
}

// foreground runs a program that must succeed.
func foreground(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", program, err, out)
	}
	t.Logf("%s", out)
}

func TestTelegrafWithAuthenticationAndTLS(t *testing.T) {
	for _, c := range []struct{ output, credentials string }{
		{"influxdb", fmt.Sprintf("username = %q\n  password = %q\n  database = \"telegraf\"", user, password)},
		{"influxdb_v2", fmt.Sprintf("token = %q\n  bucket = \"telegraf/autogen\"", user+":"+password)},
	} {
		t.Run(c.output, func(t *testing.T) {
			s := startSecured(t, *telegraf)
			if c.output == "influxdb_v2" {
				values(t, s.Process, "", "CREATE DATABASE telegraf")
			}
			config := filled(t, "telegraf_secured.conf", "OUTPUT", c.output, "URL", s.URL, "AUTHORITY", s.authority, "CREDENTIALS", c.credentials)
			log := background(t, *telegraf, "--config", config)
			s.await(t, "telegraf", "SELECT usage_idle FROM cpu WHERE cpu = 'cpu-total' LIMIT 5 OFFSET 4")
			if strings.Contains(log.String(), " E! ") || strings.Contains(log.String(), "dropped") {
				t.Errorf("Telegraf said:\n%s", log)
			}
		})
	}
}

// TestTelegrafReadsTheStatistics lets Telegraf's input for InfluxDB read
// /debug/vars and write what it finds there.
func TestTelegrafReadsTheStatistics(t *testing.T) {
	s := startSecured(t, *telegraf)
	config := filled(t, "telegraf_statistics.conf", "URL", s.URL, "AUTHORITY", s.authority, "USER", user, "PASSWORD", password)
	log := background(t, *telegraf, "--config", config)
	for measurement, field := range map[string]string{
		"httpd": "writeReq", "write": "pointReq", "queryExecutor": "queriesExecuted", "database": "numSeries",
		"shard": "diskBytes", "runtime": "HeapAlloc", "memstats": "heap_alloc",
	} {
		s.await(t, "telegraf", fmt.Sprintf(`SELECT %q FROM "influxdb_%s" WHERE %[1]q > 0 LIMIT 1`, field, measurement))
	}
	if strings.Contains(log.String(), " E! ") {
		t.Errorf("Telegraf said:\n%s", log)
	}
}

func TestShellsWithAuthenticationAndTLS(t *testing.T) {
	s := startSecured(t, "influx")
	varve := filepath.Join(filepath.Dir(*binary), "varve")
	for i, shell := range []string{"influx", varve} {
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		say := func(password, text string) (string, error) {
			out, err := exec.Command(shell, "-host", "127.0.0.1", "-port", s.port(), "-ssl", "-unsafeSsl",
				"-username", user, "-password", password, "-database", "shell", "-format", "csv", "-execute", text).CombinedOutput()
			return string(out), err
		}
		for _, text := range []string{"CREATE DATABASE shell", fmt.Sprintf("INSERT m v=1 %d", i)} {
			if out, err := say(password, text); err != nil {
				t.Errorf("%s: %s: %v\n%s", shell, text, err, out)
			}
		}
		out, err := say(password, "SELECT count(v) FROM m")
		if want := fmt.Sprintf("name,time,count\nm,0,%d\n", i+1); err != nil || out != want {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
		if out, err := say("wrong", "SELECT v FROM m"); err == nil || !strings.Contains(out, "authorization failed") {
			t.Errorf("%s with a wrong password: %v\n%s", shell, err, out)
		}
	}
}

func TestInfluxDBPythonWithAuthenticationAndTLS(t *testing.T) {
	const python = "/usr/bin/python3"
	s := startSecured(t, python)
	if err := exec.Command(python, "-c", "import influxdb").Run(); err != nil {
		t.Skipf("python3-influxdb could not be installed here: %v", err)
	}
	foreground(t, "", python, "-W", "ignore", "testdata/client.py", "127.0.0.1", s.port(), user, password, "tls")
}

func TestNodeClients(t *testing.T) {
	s := startSecured(t, "npm")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/node")); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefix", dir)
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm could not install the clients here: %v\n%s", err, out)
	}
	t.Setenv("NODE_EXTRA_CA_CERTS", s.authority)
	foreground(t, dir, "node", "client.js", s.URL, user, password)
}

func TestGoClients(t *testing.T) {
	s := startSecured(t, "go")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/goclients")); err != nil {
		t.Fatal(err)
	}
	foreground(t, dir, "go", "run", ".", s.URL, user, password)
}

// TestPrometheus lets Prometheus write what it collects, and then another
// Prometheus, with nothing of its own, read it back.
func TestPrometheus(t *testing.T) {
	s := startSecured(t, "prometheus")
	values(t, s.Process, "", "CREATE DATABASE prometheus")
	answer := func(address, query string) (n int) {
		resp, err := http.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(query))
		if err != nil {
			return 0
		}
		defer resp.Body.Close()
		var doc struct{ Data struct{ Result []any } }
		_ = json.NewDecoder(resp.Body).Decode(&doc) // no answer yet
		return len(doc.Data.Result)
	}
	run := func() (address string) {
		address = freeAddress(t)
		config := filled(t, "prometheus.yml", "ADDRESS", address, "URL", s.URL, "USER", user, "PASSWORD", `"`+password+`"`, "CA", s.authority)
		background(t, "prometheus", "--config.file", config, "--storage.tsdb.path", t.TempDir(), "--web.listen-address", address)
		return address
	}
	run()
	s.await(t, "prometheus", `SELECT value FROM prometheus_build_info LIMIT 1 OFFSET 3`)
	second := run()
	const query = `count(count_over_time(prometheus_build_info[5m])) > 1` // of two instances
	for end := time.Now().Add(time.Minute); answer(second, query) == 0; time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatal("what the first Prometheus wrote is not read by the second")
		}
	}
}

// TestCollectd lets collectd write by its own protocol, encrypted, and by UDP
// in line protocol.
func TestCollectd(t *testing.T) {
	dir := t.TempDir()
	accounts, config := filepath.Join(dir, "accounts"), filepath.Join(dir, "varve.toml")
	binary, lines := freePort(t), freePort(t)
	for file, text := range map[string]string{
		accounts: "collector: of-collectd\n",
		config: fmt.Sprintf(`
[[collectd]]
  enabled = true
  bind-address = "127.0.0.1:%s"
  database = "collectd"
  typesdb = "/usr/share/collectd/types.db"
  security-level = "encrypt"
  auth-file = %q
[[udp]]
  enabled = true
  bind-address = "127.0.0.1:%s"
  database = "udp"
`, binary, accounts, lines),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := startSecured(t, "collectd", "--config", config)
	own := filled(t, "collectd.conf", "DIRECTORY", dir, "COLLECTD_PORT", binary, "UDP_PORT", lines)
	background(t, "collectd", "-f", "-C", own)
	rows := s.await(t, "collectd", "SELECT value FROM cpu_value WHERE host = 'node1' AND type_instance = 'idle' LIMIT 1 OFFSET 2")
	t.Logf("of collectd's protocol: %v", rows)
	rows = s.await(t, "udp", "SELECT * FROM load LIMIT 1 OFFSET 2")
	t.Logf("of line protocol by UDP: %v", rows)
}

// freeAddress gives an address of this machine that nothing listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := harness.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func freePort(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	return port
}
