package ingest

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/model"
)

func tsdbConfig(change func(*OpenTSDB)) Config {
	o := DefaultOpenTSDB()
	o.Enabled, o.BindAddress, o.BatchTimeout = true, loopback, time.Millisecond
	if change != nil {
		change(&o)
	}
	return Config{OpenTSDB: []OpenTSDB{o}}
}

// put sends a body to the only listener and gives the status and the answer.
func (b *bench) put(t *testing.T, body []byte, encoding string) (status int, answer, retryAfter string) {
	t.Helper()
	r, err := http.NewRequest("POST", fmt.Sprintf("http://%s/api/put?details", b.listeners[0].port.address()), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", encoding)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text)), resp.Header.Get("Retry-After")
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTelnetAndHTTPShareAPort(t *testing.T) {
	b := newBench(t, tsdbConfig(nil), &fakeWriter{})
	b.send(t, "put a 1500000000 1 k=v\r\nput b 1500000000 2")
	body := `[{"metric":"c","timestamp":1500000000,"value":3}]`
	if status, answer, _ := b.put(t, []byte(body), ""); status != http.StatusNoContent {
		t.Errorf("put: %d %s", status, answer)
	}
	if status, answer, _ := b.put(t, zipped(t, strings.Replace(body, `"c"`, `"d"`, 1)), "gzip"); status != http.StatusNoContent {
		t.Errorf("put of gzip: %d %s", status, answer)
	}
	b.wantRows(t, "a,k=v value=1 1500000000000000000", "b value=2 1500000000000000000", "c value=3 1500000000000000000", "d value=3 1500000000000000000")
	eventually(t, "all connections are closed", func() bool { return b.count("ingest_connections") == 0 })
	b.wantCount(t, "ingest_connections_total", 3)
}

func TestTelnetAnswersVersion(t *testing.T) {
	b := newBench(t, tsdbConfig(nil), &fakeWriter{})
	c := b.dial(t)
	fmt.Fprintf(c, "version\r\n")
	answer := make([]byte, len(versionAnswer))
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != versionAnswer {
		t.Errorf("version: %q, %v", answer, err)
	}
}

func TestWhatLooksLikeHTTPAndIsNotIsALine(t *testing.T) {
	b := newBench(t, tsdbConfig(nil), &fakeWriter{})
	b.send(t, "PUT a 1500000000 1\nput b 1500000000 2\n")
	b.wantRows(t, "b value=2 1500000000000000000")
	b.wantCount(t, "ingest_malformed_total", 1)
}

func TestAPutIsRefusedForItsSize(t *testing.T) {
	b := newBench(t, tsdbConfig(nil), &fakeWriter{})
	b.listeners[0].port.(*telnet).http.maxBytes = 1e6
	const one = `{"metric":"c","timestamp":1500000000,"value":3},`
	many := "[" + strings.Repeat(one, 2e6/len(one))
	if status, answer, _ := b.put(t, zipped(t, many), "gzip"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 2 MB in gzip: %d %s", status, answer)
	}
	if status, answer, _ := b.put(t, zipped(t, "["+strings.Repeat(" ", 9e5)+"]"), "gzip"); status != http.StatusBadRequest {
		t.Errorf("900 KB of blanks: %d %s", status, answer)
	}
	if rows := b.writer.sorted(); len(rows) > 0 {
		t.Errorf("%d rows were stored", len(rows))
	}
}

func TestAPutThatCannotBeWrittenNowMayBeTriedAgain(t *testing.T) {
	body := []byte(`{"metric":"c","timestamp":1500000000,"value":3}`)
	for _, c := range []struct {
		err    error
		status int
		again  string
	}{
		{model.ErrOverloaded, http.StatusServiceUnavailable, "1"},
		{model.ErrUnavailable, http.StatusServiceUnavailable, "1"},
		{&coordinator.PartialWriteError{Reason: "x", Dropped: 1}, http.StatusBadRequest, ""},
		{fmt.Errorf("x"), http.StatusInternalServerError, ""},
	} {
		b := newBench(t, tsdbConfig(nil), &fakeWriter{fail: func(int) error { return c.err }})
		if status, _, again := b.put(t, body, ""); status != c.status || again != c.again {
			t.Errorf("%v: %d, Retry-After %q, want %d, %q", c.err, status, again, c.status, c.again)
		}
	}
}

func TestOpenTSDBWithTLS(t *testing.T) {
	b := newBench(t, tsdbConfig(func(o *OpenTSDB) { o.TLSEnabled, o.Certificate = true, newCertificate(t) }), &fakeWriter{})
	c, err := tls.Dial("tcp", b.listeners[0].port.address().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "put a 1500000000 1\n")
	c.Close()
	b.wantRows(t, "a value=1 1500000000000000000")
}

func TestACertificateIsReplacedWhileItIsUsed(t *testing.T) {
	name := newCertificate(t)
	b := newBench(t, tsdbConfig(func(o *OpenTSDB) { o.TLSEnabled, o.Certificate = true, name }), &fakeWriter{})
	shown := func() []byte {
		c, err := tls.Dial("tcp", b.listeners[0].port.address().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Raw
	}
	first := shown()
	if err := os.Rename(newCertificate(t), name); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new certificate is shown", func() bool { return !bytes.Equal(first, shown()) })
}

func TestAListenerThatCannotBeOpenedLeavesNothingBehind(t *testing.T) {
	taken := newBench(t, tsdbConfig(nil), &fakeWriter{}).listeners[0].port.address().String()
	before := runtime.NumGoroutine()
	const tries = 10
	for range tries {
		cfg := tsdbConfig(func(o *OpenTSDB) { o.BindAddress = taken })
		if _, err := Open(cfg, Parts{}, slog.New(slog.DiscardHandler), nil); err == nil {
			t.Fatal("a port that is taken was opened")
		}
	}
	eventually(t, "the goroutines of what was not opened have ended", func() bool { return runtime.NumGoroutine() < before+tries })
}

func TestFilesAreChecked(t *testing.T) {
	cfg := tsdbConfig(func(o *OpenTSDB) { o.TLSEnabled, o.Certificate = true, newCertificate(t) })
	cfg.Collectd = []Collectd{{Enabled: true, TypesDB: "testdata/types.db"}}
	if err := cfg.CheckFiles(); err != nil {
		t.Error(err)
	}
	cfg.Collectd[0].TypesDB = "testdata/none"
	if err := cfg.CheckFiles(); err == nil || !strings.Contains(err.Error(), "[[collectd]] 0: typesdb") {
		t.Errorf("a file of types that is not there: %v", err)
	}
	cfg.OpenTSDB[0].Certificate = "testdata/none"
	if err := cfg.CheckFiles(); err == nil || !strings.Contains(err.Error(), "[[opentsdb]] 0: certificate") {
		t.Errorf("a certificate that is not there: %v", err)
	}
	cfg.OpenTSDB[0].Enabled, cfg.Collectd[0].Enabled = false, false
	if err := cfg.CheckFiles(); err != nil {
		t.Errorf("what is not enabled needs no files: %v", err)
	}
}

// newCertificate writes a file with a key and a certificate for it.
func newCertificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	shape := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, shape, shape, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	name := filepath.Join(t.TempDir(), "certificate.pem")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
