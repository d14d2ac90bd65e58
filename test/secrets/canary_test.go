package secrets

import (
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

// The canaries: what they are is in their names. None is a part of another.
const (
	adminPassword        = "canary-admin-password-58c1"
	settingPassword      = "canary-setting-password-f2d7"
	userPassword         = "canary-user-password-93ab"
	newPassword          = "canary-new-password-e07d"
	misplacedPassword    = "canary-misplaced-password-41f6"
	wrongPassword        = "canary-wrong-password-b2c9"
	urlPassword          = "canary-url-password-7d05"
	sharedSecret         = "canary-shared-secret-of-32-bytes-or-more-c8e3"
	webToken             = "canary-web-token-6a12"
	apiToken             = "canary-api-token-d4f8"
	subscriptionPassword = "canary-subscription-password-09be"
	subscriptionToken    = "canary-subscription-token-5c77"
	unreadablePassword   = "canary-unreadable-password-2ea4"
)

var canaries = []string{
	adminPassword, settingPassword, userPassword, newPassword, misplacedPassword, wrongPassword, urlPassword,
	sharedSecret, webToken, apiToken, subscriptionPassword, subscriptionToken, unreadablePassword,
}

// stored is canaries that a server has to keep as they are, to use them: it dials
// with them.
var stored = []string{subscriptionPassword, subscriptionToken}

// TestSecretsAppearNowhere runs one server through everything and searches its
// answers, its output up to a crash dump, and its files.
func TestSecretsAppearNowhere(t *testing.T) {
	s := start(t)
	s.exercise(t)
	s.crash(t)

	output, err := os.ReadFile(s.output)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(output), "goroutine ") {
		t.Errorf("there is no crash dump in the output:\n%s", output)
	}
	search(t, "the output", string(output), canaries)
	n := 0
	err = filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		n++
		if filepath.Base(filepath.Dir(name)) == "audit" {
			if len(b) == 0 {
				t.Errorf("%s is empty", name)
			}
			search(t, name, string(b), canaries)
		}
		for _, c := range canaries {
			if strings.Contains(string(b), c) && !slices.Contains(stored, c) {
				t.Errorf("%s has %s", name, c)
			}
		}
		return nil
	})
	if err != nil || n < 5 {
		t.Errorf("%d files in the data directory: %v", n, err)
	}
	if s.answers < 100 {
		t.Errorf("the server was asked %d times only", s.answers)
	}
}

// search looks for secrets in a text, and for what base64 makes of them in the
// middle of others.
func search(t *testing.T, where, text string, secrets []string) {
	t.Helper()
	for _, c := range secrets {
		forms := []string{c, url.QueryEscape(c)}
		for shift := range 3 {
			b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + c))
			forms = append(forms, b[4:len(b)-4])
		}
		for _, f := range forms {
			if i := strings.Index(text, f); i >= 0 {
				line := text[1+strings.LastIndexByte(text[:i], '\n'):]
				t.Errorf("%s has %s: %.300q … %q", where, c, line, text[max(0, i-100):min(len(text), i+len(f)+100)])
				break
			}
		}
	}
}

type server struct {
	url     string
	dir     string // of its data
	output  string // the file with what it printed
	cmd     *exec.Cmd
	answers int
}

// start runs a server whose file of settings has secrets, and which logs all that
// can be logged.
func start(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{dir: filepath.Join(dir, "data"), output: filepath.Join(dir, "output")}
	settings := filepath.Join(dir, "varved.toml")
	text := fmt.Sprintf(`
data-dir = %q
log-level = "debug"
log-queries-after = "1ns"
db = "first"
write-user = "w"
write-user-password = %q
subscriber-allow = "loopback"
subscriber-http-timeout = "1s"
[http]
bind-address = "127.0.0.1:0"
auth-enabled = true
shared-secret = %q
log-enabled = true
[data]
query-log-enabled = true
[monitor]
store-enabled = true
store-interval = "1s"
`, s.dir, settingPassword, sharedSecret)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(s.output)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s.cmd = exec.Command(harness.Build(t), "--config", settings)
	s.cmd.Env = append(os.Environ(), "GOTRACEBACK=all")
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() }) //nolint:errcheck // it has ended
	ready := regexp.MustCompile(`varved is ready on (http://\S+)`)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		b, _ := os.ReadFile(s.output)
		if m := ready.FindSubmatch(b); m != nil {
			s.url = string(m[1])
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("not ready:\n%s", b)
		}
	}
}

// crash has the runtime print all goroutines and end the process.
func (s *server) crash(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err == nil {
		t.Error("the server ended without an error after SIGQUIT")
	}
}

// As who a request comes.
type who func(*http.Request)

func basic(user, password string) who {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

func header(text string) who { return func(r *http.Request) { r.Header.Set("Authorization", text) } }

func nobody(*http.Request) {}

var root = basic("root", adminPassword)

// ask sends a request and searches the answer, its headers, too.
func (s *server) ask(t *testing.T, as who, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost && strings.HasPrefix(path, "/query") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	as(r)
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	s.answers++
	search(t, "the answer to "+method+" "+path, fmt.Sprint(resp.Header)+string(b), canaries)
	return resp.StatusCode, string(b)
}

// do runs a statement, by POST and by GET.
func (s *server) do(t *testing.T, as who, text string) {
	t.Helper()
	q := url.Values{"q": {text}, "db": {"d"}}.Encode()
	s.ask(t, as, "POST", "/query", q)
	s.ask(t, as, "GET", "/query?"+q, "")
}

// must runs a statement that succeeds.
func (s *server) must(t *testing.T, as who, text string) {
	t.Helper()
	if status, body := s.ask(t, as, "POST", "/query", url.Values{"q": {text}}.Encode()); status != http.StatusOK || strings.Contains(body, "error") {
		t.Fatalf("%d %s", status, body)
	}
}

// exercise asks for everything.
func (s *server) exercise(t *testing.T) {
	t.Helper()
	deaf := deafAddress(t)
	s.must(t, nobody, `CREATE USER root WITH PASSWORD '`+adminPassword+`' WITH ALL PRIVILEGES`)
	s.must(t, root, `CREATE DATABASE d`)
	for _, text := range []string{
		`CREATE USER u WITH PASSWORD '` + userPassword + `'`,
		`CREATE USER u WITH PASSWORD '` + newPassword + `'`, // exists, with another
		`GRANT READ ON d TO u`,
		`SET PASSWORD FOR u = '` + newPassword + `'`,
		`SET PASSWORD FOR u = '` + userPassword + `'`,
		`SET PASSWORD FOR nosuch = '` + newPassword + `'`,
		`CREATE USER u WITH PASSWORD ` + misplacedPassword,
		`CREATE USER u WITH PASSWORD "` + misplacedPassword + `"`,
		`CREATE USER u PASSWORD '` + misplacedPassword + `'`,
		`SET PASSWORD '` + misplacedPassword + `' FOR u`,
		`SET PASSWORD FOR u '` + misplacedPassword + `'`,
		`SET PASSWORD FOR u = ` + misplacedPassword,
		`CREATE USER u WITH PASSWORD '` + unreadablePassword,
		`CREATE USER "a` + "\n" + `b" WITH PASSWORD '` + unreadablePassword + strings.Repeat("x", 80) + `'`, // too long
		`SELECT * FROM m; SET PASSWORD FOR nosuch = '` + newPassword + `'; SHOW USERS`,
		`CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ALL 'http://me:` + subscriptionPassword + `@` + deaf + `', 'http://` + deaf + `/?u=me&p=` + subscriptionToken + `'`,
		`CREATE SUBSCRIPTION a ON d.autogen DESTINATIONS ANY 'http://me:` + subscriptionPassword + `@` + deaf + `'`,
		`CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ALL 'http://me:` + subscriptionPassword + `@` + deaf + `'`, // exists
		`CREATE SUBSCRIPTION x ON d.autogen DESTINATIONS ALL 'ftp://me:` + subscriptionPassword + `@` + deaf + `'`,
		`CREATE SUBSCRIPTION x ON d.autogen DESTINATIONS ALL 'http://me:` + subscriptionPassword + `@no port/%zz'`,
	} {
		s.do(t, root, text)
		s.do(t, basic("u", userPassword), text) // who may not
		s.do(t, nobody, text)
	}
	s.logIns(t)
	for range 3 { // which its subscriptions do not take
		s.ask(t, root, "POST", "/write?db=d", "m v=1")
		s.ask(t, nobody, "POST", "/write?db=d&u=root&p="+adminPassword, "m v=2")
		s.ask(t, nobody, "POST", "/write?db=d&u=root&p="+urlPassword, "m v=")
	}
	time.Sleep(3 * time.Second) // a real process: until they give up, and statistics are written
	for _, text := range []string{
		`SHOW USERS`, `SHOW GRANTS FOR u`, `SHOW SUBSCRIPTIONS`, `SHOW QUERIES`, `SHOW STATS`, `SHOW DIAGNOSTICS`, `SHOW SHARDS`,
		`SHOW CONTINUOUS QUERIES`, `SHOW DATABASES`, `SELECT * FROM _internal../.*/ LIMIT 10`,
	} {
		s.do(t, root, text)
	}
	for _, path := range []string{
		"/ping?verbose=true", "/health", "/metrics", "/livez", "/readyz",
		"/debug/vars", "/debug/requests?seconds=1", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1",
		"/debug/pprof/all?cpu=1s",
		"/varve/v1/status", "/varve/v1/nodes", "/varve/v1/shards", "/varve/v1/limits", "/varve/v1/continuous", "/varve/v1/nosuch?p=" + urlPassword,
		"/api/v2/buckets", "/nosuch?u=root&p=" + urlPassword,
	} {
		s.ask(t, root, "GET", path, "")
		s.ask(t, nobody, "GET", path, "")
	}
}

// logIns tries all ways to say who one is, wrongly.
func (s *server) logIns(t *testing.T) {
	t.Helper()
	for _, as := range []who{
		basic("root", wrongPassword), basic("nosuch", wrongPassword), basic("", wrongPassword),
		header("Token root:" + wrongPassword), header("Token " + apiToken), header("Token varve_" + apiToken),
		header("Bearer " + webToken), header("Bearer a." + webToken + ".c"), header("Bearer varve_1_" + apiToken),
		header("Basic " + wrongPassword), header(wrongPassword), header("Digest " + wrongPassword),
	} {
		for _, path := range []string{"/query?q=SHOW+USERS", "/write?db=d", "/varve/v1/status", "/api/v2/write?bucket=d"} {
			s.ask(t, as, "POST", path, "m v=1")
		}
	}
	for _, parameters := range []string{"u=root&p=" + urlPassword, "u=nosuch&p=" + urlPassword, "u=&p=" + urlPassword, "p=" + urlPassword, "u=root&P=" + urlPassword} {
		s.ask(t, nobody, "POST", "/query?q=SHOW+USERS&"+parameters, "")
		s.ask(t, nobody, "GET", "/query?q=SHOW+USERS&"+parameters, "")
		s.ask(t, nobody, "POST", "/query", "q=SHOW+USERS&"+parameters)
		s.ask(t, nobody, "POST", "/write?db=d&"+parameters, "m v=1")
	}
}

// deafAddress gives an address of this machine where nothing answers.
func deafAddress(t *testing.T) string {
	t.Helper()
	address, err := harness.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
