package main

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

// as asks for a statement as a user.
func as(t *testing.T, p *harness.Process, name, password, q string) string {
	t.Helper()
	r, err := http.PostForm(p.URL+"/query?"+url.Values{"u": {name}, "p": {password}}.Encode(), url.Values{"q": {q}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.Status + " " + string(b)
}

// The variables are those of InfluxDB's image.
func TestANewClusterBeginsWithWhatTheEnvironmentSays(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("admin-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"INFLUXDB_DB": "garden", "INFLUXDB_HTTP_AUTH_ENABLED": "true", "INFLUXDB_ADMIN_USER": "root", "INFLUXDB_ADMIN_PASSWORD_FILE": secret,
		"INFLUXDB_USER": "gardener", "INFLUXDB_USER_PASSWORD": "g", "INFLUXDB_READ_USER": "visitor", "INFLUXDB_READ_USER_PASSWORD": "v",
	} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	p := start(t, dir)
	if got := as(t, p, "root", "admin-secret", "SHOW USERS"); !strings.Contains(got, `["gardener",false],["visitor",false],["root",true]`) {
		t.Errorf("the users are %s", got)
	}
	if got := as(t, p, "root", "admin-secret", "SHOW GRANTS FOR gardener; SHOW GRANTS FOR visitor"); !strings.Contains(got, `["garden","ALL PRIVILEGES"]`) || !strings.Contains(got, `["garden","READ"]`) {
		t.Errorf("the grants are %s", got)
	}
	if got := as(t, p, "root", "wrong", "SHOW USERS"); !strings.HasPrefix(got, "401 ") {
		t.Errorf("with a wrong password: %s", got)
	}
	// What was removed later does not come back.
	as(t, p, "root", "admin-secret", "DROP USER visitor; DROP DATABASE garden")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	p = start(t, dir)
	if got := as(t, p, "root", "admin-secret", "SHOW USERS; SHOW DATABASES"); strings.Contains(got, "visitor") || strings.Contains(got, `["garden"]`) {
		t.Errorf("after a restart: %s", got)
	}
	if log := p.Log(); strings.Contains(log, "admin-secret") {
		t.Errorf("the log has the password: %s", log)
	}
}

// What was made at the first start is changed later, and the settings stay.
func TestAServerWhoseAdministratorWasRevokedStarts(t *testing.T) {
	for name, value := range map[string]string{
		"INFLUXDB_DB": "garden", "INFLUXDB_HTTP_AUTH_ENABLED": "true", "INFLUXDB_ADMIN_USER": "root", "INFLUXDB_ADMIN_PASSWORD": "r",
		"INFLUXDB_USER": "gardener", "INFLUXDB_USER_PASSWORD": "g",
	} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	p := start(t, dir)
	if got := as(t, p, "root", "r", "SET PASSWORD FOR gardener = 'other'; REVOKE ALL PRIVILEGES FROM root"); strings.Contains(got, "error") {
		t.Fatal(got)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	p = start(t, dir)
	if got := as(t, p, "gardener", "other", "SHOW DATABASES"); !strings.Contains(got, `["garden"]`) {
		t.Errorf("a user is answered by %s", got)
	}
	if got := as(t, p, "root", "r", "SHOW USERS"); !strings.HasPrefix(got, "403 ") {
		t.Errorf("who is no administrator any more is answered by %s", got)
	}
}

func TestServiceManagerIsTold(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	p := start(t, t.TempDir())
	said := func() string {
		t.Helper()
		if err := l.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	if got := said(); got != "READY=1" {
		t.Errorf("when it is ready it says %q", got)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := said(); got != "STOPPING=1" {
		t.Errorf("when it stops it says %q", got)
	}
}
