package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/varvedb/varve/test/harness"
)

// The tests in this file run the built server as a process of its own.

var build struct {
	sync.Once
	dir    string
	binary string
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if build.dir != "" {
		os.RemoveAll(build.dir)
	}
	os.Exit(code)
}

// binary gives the server, built once for all tests.
func binary(t *testing.T) string {
	t.Helper()
	build.Do(func() {
		if build.dir, build.err = os.MkdirTemp("", "varved"); build.err != nil {
			return
		}
		build.binary = filepath.Join(build.dir, "varved")
		out, err := exec.Command("go", "build", "-o", build.binary, "-ldflags", "-X main.version=v0-test", ".").CombinedOutput()
		if err != nil {
			build.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatalf("build varved: %v", build.err)
	}
	return build.binary
}

func start(t *testing.T, dir string, flags ...string) *harness.Process {
	t.Helper()
	p, err := harness.Start(binary(t), dir, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("varved on %s said:\n%s", dir, p.Log())
		}
	})
	return p
}

// ask runs a statement and gives the body of the answer.
func ask(t *testing.T, p *harness.Process, db, q string) string {
	t.Helper()
	r, err := http.PostForm(p.URL+"/query", url.Values{"db": {db}, "q": {q}, "epoch": {"ns"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func post(t *testing.T, p *harness.Process, db, lines string) {
	t.Helper()
	r, err := http.Post(p.URL+"/write?db="+db, "text/plain", strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusNoContent {
		t.Fatalf("write gave %s: %s", r.Status, b)
	}
}

const garden = "soil,bed=north moisture=41.5,ph=6i 1700000000000000000\nsoil,bed=south moisture=38 1700000000000000000\n"

const wantGarden = `{"results":[{"statement_id":0,"series":[{"name":"soil","columns":["time","bed","moisture","ph"],` +
	`"values":[[1700000000000000000,"north",41.5,6],[1700000000000000000,"south",38,null]]}]}]}` + "\n"

func TestDataIsThereAfterASignalAndAfterAKill(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	if got := ask(t, p, "", "CREATE DATABASE garden"); !strings.Contains(got, `"statement_id":0}`) {
		t.Fatalf("CREATE DATABASE gave %s", got)
	}
	post(t, p, "garden", garden)
	if got := ask(t, p, "garden", "SELECT * FROM soil"); got != wantGarden {
		t.Fatalf("before: %s, want %s", got, wantGarden)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	p = start(t, dir)
	if got := ask(t, p, "garden", "SELECT * FROM soil"); got != wantGarden {
		t.Errorf("after SIGTERM: %s, want %s", got, wantGarden)
	}
	post(t, p, "garden", "soil,bed=west moisture=1 1700000000000000001")
	p.Kill()
	p = start(t, dir)
	if got := ask(t, p, "garden", "SELECT count(moisture) FROM soil"); !strings.Contains(got, "[0,3]") {
		t.Errorf("after kill -9: %s, want 3 values", got)
	}
}

func TestASignalThatComesTwiceIsOne(t *testing.T) {
	p := start(t, t.TempDir())
	if err := syscall.Kill(p.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("after the second of two signals in a moment: %v", err)
	}
}

func TestDroppedShardsLeaveTheDisk(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	ask(t, p, "", "CREATE DATABASE garden")
	post(t, p, "garden", garden)
	shards := func() []string {
		dirs, err := filepath.Glob(filepath.Join(dir, "shards", "0*"))
		if err != nil {
			t.Fatal(err)
		}
		return dirs
	}
	if len(shards()) != 1 {
		t.Fatalf("shards %q, want one", shards())
	}
	ask(t, p, "", "DROP DATABASE garden")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	p = start(t, dir)
	// The server looks for them when it starts; each request gives it time.
	for range 2000 {
		if len(shards()) == 0 {
			return
		}
		ask(t, p, "", "SHOW DATABASES")
	}
	t.Errorf("shards %q are left of a dropped database", shards())
}

// refused runs the server, which must end with exit code 1 and say one line
// that contains want.
func refused(t *testing.T, want string, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("varved %q ended with %v, want exit code 1", args, err)
	}
	var said []string
	for _, line := range strings.Split(strings.TrimSpace(stderr.String()), "\n") {
		if strings.HasPrefix(line, "varved: ") {
			said = append(said, line)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], want) || stdout.Len() > 0 {
		t.Errorf("varved %q said %q (stdout %q), want one line with %q", args, stderr.String(), stdout.String(), want)
	}
}

func TestServerThatCannotRunSaysWhyInOneLine(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	address := strings.TrimPrefix(p.URL, "http://")
	other := filepath.Join(t.TempDir(), "other")

	refused(t, "another server is running on it", nil, "--data-dir", dir, "--http-bind-address", "127.0.0.1:0")
	refused(t, "the port is in use", nil, "--data-dir", other, "--http-bind-address", address)
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a server without a port made %s (%v)", other, err)
	}
	foreign := t.TempDir()
	if err := os.MkdirAll(filepath.Join(foreign, "telegraf", "autogen"), 0o700); err != nil {
		t.Fatal(err)
	}
	refused(t, `holds "telegraf" and nothing of Varve's`, nil, "--data-dir", foreign, "--http-bind-address", "127.0.0.1:0")
	refused(t, "not a loopback address", nil, "--data-dir", other, "--http-bind-address", "0.0.0.0:0")
	refused(t, "a server that is alone needs data and coordinator", nil, "--data-dir", other, "--roles", "data")
	refused(t, `VARVE_LOG_LEVEL="loud"`, []string{"VARVE_LOG_LEVEL=loud"}, "--data-dir", other)
	file := filepath.Join(t.TempDir(), "varved.toml")
	if err := os.WriteFile(file, []byte("[data]\ndri = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, `:2: unknown key "data.dri"`, nil, "--config", file)

	ask(t, p, "", "CREATE DATABASE garden")
	post(t, p, "garden", garden)
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	// The shards of one cluster with the metadata of another, or of none.
	if err := os.Rename(filepath.Join(dir, "meta"), filepath.Join(dir, "meta.old")); err != nil {
		t.Fatal(err)
	}
	refused(t, "holds shards of cluster", nil, "--data-dir", dir, "--http-bind-address", "127.0.0.1:0")
}

func TestOnlyTheHTTPPortIsOpen(t *testing.T) {
	p := start(t, t.TempDir())
	ports := listening(t, p.PID())
	if len(ports) != 1 {
		t.Errorf("varved listens on %q, want its HTTP port only", ports)
	}
}

// listening gives the local TCP addresses that a process listens on, in
// the kernel's notation.
func listening(t *testing.T, pid int) []string {
	t.Helper()
	sockets := make(map[string]bool)
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(links) == 0 {
		t.Skip("no /proc here")
	}
	for _, link := range links {
		to, err := os.Readlink(link)
		if inode, ok := strings.CutPrefix(to, "socket:["); err == nil && ok {
			sockets[strings.TrimSuffix(inode, "]")] = true
		}
	}
	var out []string
	for _, table := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(b), "\n") {
			// local address is field 1, state (0A: listening) 3, inode 9
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" && sockets[f[9]] {
				out = append(out, f[1])
			}
		}
	}
	return out
}

func TestReadyLineNamesThePortThatTheKernelChose(t *testing.T) {
	p := start(t, t.TempDir())
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "0" {
		t.Errorf("ready on %s", p.URL)
	}
	r, err := http.Get(p.URL + "/ping")
	if err != nil || r.StatusCode != http.StatusNoContent {
		t.Errorf("/ping gave %v, %v", r, err)
	}
}

func TestVersionIsThatOfTheBuild(t *testing.T) {
	out, err := exec.Command(binary(t), "--version").Output()
	if err != nil || string(out) != "varved v0-test\n" {
		t.Errorf("--version printed %q, %v", out, err)
	}
}
