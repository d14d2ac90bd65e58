package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/certificate/certificatetest"
)

func TestSaysThatItIsNotReadyWhileItOpens(t *testing.T) {
	etcd, err := net.Listen("tcp", "127.0.0.1:0") // one that never answers
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	socket, log := filepath.Join(t.TempDir(), "varve.sock"), new(bytes.Buffer)
	cmd := exec.Command(binary(t), "--data-dir", t.TempDir(), "--http-bind-address", "127.0.0.1:0",
		"--rpc-bind-address", "127.0.0.1:0", "--roles", "data,coordinator", "--etcd-endpoints", "http://"+etcd.Addr().String(),
		"--http-unix-socket-enabled", "--http-bind-socket", socket)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("varved said:\n%s", log)
		}
	})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	get := func(path string) (int, string, error) {
		r, err := client.Get("http://localhost" + path)
		if err != nil {
			return 0, "", err
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		return r.StatusCode, string(b), err
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, _, err := get("/livez")
		if status == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it does not live: %d, %v", status, err)
		}
	}
	for path, want := range map[string]string{"/readyz": "starting\n", "/query?q=SHOW+DATABASES": `{"error":"starting"}` + "\n"} {
		if status, body, err := get(path); status != http.StatusServiceUnavailable || body != want || err != nil {
			t.Errorf("%s gave %d %q, %v", path, status, body, err)
		}
	}
}

// toldReady gives what "varved ready" ends with and says.
func toldReady(environ ...string) (code int, said string) {
	var out bytes.Buffer
	code = run([]string{"ready"}, environ, &out, &out)
	return code, out.String()
}

func TestReadyAsksTheServerOfTheSameSettings(t *testing.T) {
	a, dir := certificatetest.NewAuthority(t), t.TempDir()
	files := a.Write(t, dir, "server", time.Now().Add(time.Hour))
	p := start(t, t.TempDir(), "--http-auth-enabled", "true")
	address := "VARVE_HTTP_BIND_ADDRESS=" + strings.TrimPrefix(p.URL, "http://")
	if code, said := toldReady(address); code != 0 || said != "ready\n" {
		t.Errorf("of a server: %d, %s", code, said)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if code, said := toldReady(address); code != 1 || !strings.Contains(said, "connection refused") {
		t.Errorf("of none: %d, %s", code, said)
	}
	p = start(t, t.TempDir(), "--http-https-enabled", "--tls-certificate", files.Certificate, "--tls-key", files.Key)
	if code, said := toldReady("VARVE_HTTP_BIND_ADDRESS="+strings.TrimPrefix(p.URL, "https://"), "VARVE_HTTP_HTTPS_ENABLED=true",
		"VARVE_TLS_CERTIFICATE="+files.Certificate, "VARVE_TLS_KEY="+files.Key); code != 0 || said != "ready\n" {
		t.Errorf("over HTTPS: %d, %s", code, said)
	}
}
