package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

// send sends a request signed by "NAME:PASSWORD" or a token, and gives the status and
// the body of the answer.
func send(t *testing.T, p *harness.Process, method, path, sign, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, p.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if sign != "" {
		r.Header.Set("Authorization", "Token "+sign)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func statement(text string) string { return "/query?q=" + url.QueryEscape(text) }

func TestOneOfFiftyMakesTheFirstAdministrator(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--http-auth-enabled", "true")
	info, err := os.Stat(filepath.Join(dir, "bootstrap-token"))
	for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		info, err = os.Stat(filepath.Join(dir, "bootstrap-token")) // it is written while the first requests come
	}
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token for the first administrator: %v, %v", info, err)
	}
	var mu sync.Mutex
	var made []string
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			name := fmt.Sprint("admin", i)
			status, body := send(t, p, "POST", statement("CREATE USER "+name+" WITH PASSWORD 'pw' WITH ALL PRIVILEGES"), "", "")
			switch {
			case status == http.StatusOK && !strings.Contains(body, "error"):
				mu.Lock()
				made = append(made, name)
				mu.Unlock()
			case status == http.StatusBadRequest || status >= 500 && status != http.StatusServiceUnavailable:
				t.Errorf("%s: %d %s", name, status, body)
			}
		})
	}
	all.Wait()
	if len(made) != 1 {
		t.Fatalf("%q were made", made)
	}
	admin := made[0] + ":pw"
	if _, body := send(t, p, "GET", statement("SHOW USERS"), admin, ""); body != `{"results":[{"statement_id":0,"series":[{"columns":["user","admin"],"values":[["`+made[0]+`",true]]}]}]}`+"\n" {
		t.Errorf("users: %s", body)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	p = start(t, dir, "--http-auth-enabled", "true")
	if status, body := send(t, p, "GET", statement("SHOW USERS"), admin, ""); status != http.StatusOK {
		t.Errorf("after a restart: %d %s", status, body)
	}
	if _, err := os.Stat(filepath.Join(dir, "bootstrap-token")); !os.IsNotExist(err) {
		t.Errorf("the token is there still: %v", err)
	}
}

func TestTokensAndUsersMayWhatTheyWereGranted(t *testing.T) {
	p := start(t, t.TempDir(), "--http-auth-enabled", "true")
	const admin, user = "admin:pw", "user:pw"
	for _, text := range []string{"CREATE USER admin WITH PASSWORD 'pw' WITH ALL PRIVILEGES", "CREATE USER \"user\" WITH PASSWORD 'pw'", "CREATE DATABASE db", "GRANT READ ON db TO \"user\""} {
		if status, body := send(t, p, "POST", statement(text), admin, ""); status != http.StatusOK || strings.Contains(body, "error") {
			t.Fatalf("%s: %d %s", text, status, body)
		}
	}
	create := func(request string) string {
		t.Helper()
		_, body := send(t, p, "POST", "/varve/v1/tokens", admin, request)
		_, rest, _ := strings.Cut(body, `"token":"`)
		text, _, ok := strings.Cut(rest, `"`)
		if !ok {
			t.Fatalf("a token: %s", body)
		}
		return text
	}
	writer, operator, monitor := create(`{"name":"w","write":["db"]}`), create(`{"name":"o","admin":true}`), create(`{"name":"m","monitor":true,"life":3600000000000}`)
	for _, c := range []struct {
		method, path, body string
		want               [6]int // of nobody, the user, the administrator, and the tokens
	}{
		{"POST", "/write?db=db", "m v=1 1", [6]int{401, 403, 204, 204, 204, 403}},
		{"GET", statement("SELECT * FROM db..m"), "", [6]int{401, 200, 200, 403, 200, 403}},
		{"GET", statement("SHOW USERS"), "", [6]int{401, 403, 200, 403, 200, 403}},
		{"GET", "/varve/v1/status", "", [6]int{401, 403, 200, 403, 200, 403}},
		{"GET", "/varve/v1/tokens", "", [6]int{401, 403, 200, 403, 200, 403}},
		{"GET", "/metrics", "", [6]int{401, 403, 200, 403, 200, 200}},
		{"GET", "/ping", "", [6]int{204, 204, 204, 204, 204, 204}},
	} {
		var got [6]int
		for i, sign := range []string{"", user, admin, writer, operator, monitor} {
			got[i], _ = send(t, p, c.method, c.path, sign, c.body)
		}
		if got != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, got, c.want)
		}
	}
	if _, body := send(t, p, "GET", "/varve/v1/tokens", operator, ""); strings.Contains(body, "varve_") || !strings.Contains(body, `"name":"m","monitor":true`) {
		t.Errorf("tokens: %s", body)
	}
	if status, body := send(t, p, "DELETE", "/varve/v1/tokens/w", operator, ""); status != http.StatusOK {
		t.Errorf("revoke: %d %s", status, body)
	}
	if status, _ := send(t, p, "POST", "/write?db=db", writer, "m v=2 2"); status != http.StatusUnauthorized {
		t.Errorf("with a token that was revoked: %d", status)
	}
	for _, secret := range []string{writer, operator, monitor, "pw'"} {
		if strings.Contains(p.Log(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}
