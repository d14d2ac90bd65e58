package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/internal/certificate/certificatetest"
)

// trusting gives a client of servers whose certificates a signed.
func trusting(a *certificatetest.Authority, own ...tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.PEM())
	return &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: own}, MaxIdleConnsPerHost: 4},
	}
}

// certificateOf gives the name in the certificate that a server shows now.
func certificateOf(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	c.CloseIdleConnections()
	r, err := c.Get(url + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r.TLS.PeerCertificates[0].Subject.CommonName
}

func TestCertificatesAreReplacedUnderLoadWithoutAFailedRequest(t *testing.T) {
	a, dir := certificatetest.NewAuthority(t), t.TempDir()
	files := a.Write(t, dir, "first", time.Now().Add(20*24*time.Hour))
	p := start(t, t.TempDir(), "--http-https-enabled", "--tls-certificate", files.Certificate, "--tls-key", files.Key)
	if !strings.HasPrefix(p.URL, "https://") || certificateOf(t, trusting(a), p.URL) != "first" {
		t.Fatalf("ready on %s", p.URL)
	}
	ctx, stop := context.WithCancel(t.Context())
	var requests, failures atomic.Int64
	var wg sync.WaitGroup
	for i := range 4 {
		client := trusting(a)
		if i%2 == 0 { // every request a handshake
			client.Transport.(*http.Transport).DisableKeepAlives = true
		}
		wg.Go(func() {
			for ctx.Err() == nil {
				requests.Add(1)
				r, err := client.Get(p.URL + "/ping")
				if err != nil {
					failures.Add(1)
					t.Error(err)
					return
				}
				r.Body.Close()
			}
		})
	}
	client := trusting(a)
	await := func(name string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); certificateOf(t, client, p.URL) != name; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the certificate %s is not shown", name)
			}
		}
	}
	a.Write(t, dir, "second", time.Now().Add(100*24*time.Hour))
	await("second")
	if err := os.WriteFile(files.Certificate, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); !strings.Contains(p.Log(), "cannot use the changed certificate"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is said of a bad certificate")
		}
	}
	await("second")
	a.Write(t, dir, "third", time.Now().Add(10*24*time.Hour))
	await("third")
	stop()
	wg.Wait()
	if failures.Load() > 0 || requests.Load() < 100 {
		t.Errorf("%d of %d requests failed", failures.Load(), requests.Load())
	}
	if !strings.Contains(p.Log(), "a certificate expires soon") {
		t.Error("the log has no warning of the first one")
	}

	// It is in the metrics and in the status.
	r, err := client.Get(p.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, _ := io.ReadAll(r.Body); !strings.Contains(string(b), `tls_certificate_expiry_timestamp_seconds{use="http"}`) {
		t.Error("/metrics does not say when it expires")
	}
	r, err = client.Get(p.URL + adminapi.Prefix + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var status adminapi.Status
	if err := json.NewDecoder(r.Body).Decode(&status); err != nil {
		t.Fatal(err)
	}
	if len(status.Nodes) != 1 || len(status.Nodes[0].Certificates) != 1 || !strings.Contains(strings.Join(status.Problems, "\n"), "expires on") {
		t.Errorf("the status is %+v", status)
	}
}

func TestClientsShowACertificateWhereOneIsAskedFor(t *testing.T) {
	a := certificatetest.NewAuthority(t)
	files := a.Write(t, t.TempDir(), "server", time.Now().Add(time.Hour))
	p := start(t, t.TempDir(), "--http-https-enabled", "--http-https-certificate", files.Certificate, "--http-https-private-key", files.Key,
		"--http-https-client-ca", files.Authority, "--tls-min-version", "tls1.3")
	if r, err := trusting(a).Get(p.URL + "/ping"); err == nil {
		t.Errorf("without a certificate: %s", r.Status)
	}
	pair := func(a *certificatetest.Authority) tls.Certificate {
		cert, key := a.Sign(t, "client", time.Now().Add(time.Hour))
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	if r, err := trusting(a, pair(certificatetest.NewAuthority(t))).Get(p.URL + "/ping"); err == nil {
		t.Errorf("with a certificate of another authority: %s", r.Status)
	}
	client := trusting(a, pair(a))
	if got := certificateOf(t, client, p.URL); got != "server" {
		t.Errorf("with a certificate: %s", got)
	}
	client.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS12
	client.CloseIdleConnections()
	if r, err := client.Get(p.URL + "/ping"); err == nil {
		t.Errorf("with TLS 1.2 where 1.3 is the oldest: %s", r.Status)
	}
}

func TestAnswersOnAUnixSocketToo(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "run", "varve.sock")
	dir := t.TempDir()
	flags := []string{"--http-unix-socket-enabled", "--http-bind-socket", socket, "--http-unix-socket-permissions", "0700"}
	p := start(t, dir, flags...)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	ping := func() {
		t.Helper()
		r, err := client.Get("http://localhost/ping")
		if err != nil || r.StatusCode != http.StatusNoContent {
			t.Fatalf("%v, %v", r, err)
		}
		r.Body.Close()
	}
	ping()
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket is %v, %v", info, err)
	}
	refused(t, "is in use by another server", nil, append([]string{"--data-dir", t.TempDir(), "--http-bind-address", "127.0.0.1:0"}, flags...)...)
	p.Kill() // the file stays
	client.CloseIdleConnections()
	p = start(t, dir, flags...)
	ping()
	client.CloseIdleConnections()
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}
