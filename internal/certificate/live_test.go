package certificate_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/certificate"
	"github.com/varvedb/varve/internal/certificate/certificatetest"
)

var discard = slog.New(slog.DiscardHandler)

func open(t *testing.T, files certificate.Files, log *slog.Logger) *certificate.Live {
	t.Helper()
	l, err := certificate.Open(files, (&certificate.Serving{}).Config, log)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func name(l *certificate.Live) string { return l.Keys().Pair.Leaf.Subject.CommonName }

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreReadAgainWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := certificatetest.NewAuthority(t)
		files := a.Write(t, t.TempDir(), "first", time.Now().Add(time.Hour))
		l := open(t, files, discard)
		config := l.Keys().Server
		time.Sleep(time.Minute)
		if l.Keys().Server != config {
			t.Error("what serves was made anew though the files are the same")
		}
		expires := time.Now().Add(2 * time.Hour)
		cert, key := a.Sign(t, "another", expires)
		write(t, files.Certificate, cert)
		time.Sleep(2 * time.Second)
		if name(l) != "first" {
			t.Error("a certificate without its key was taken")
		}
		write(t, files.Key, key)
		time.Sleep(2 * time.Second)
		if name(l) != "another" || !l.Expires().Equal(expires.Truncate(time.Second)) {
			t.Errorf("the certificate is that of %s, expires %v", name(l), l.Expires())
		}
	})
}

func TestWhatCannotBeUsedLeavesTheOldOneAndIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := certificatetest.NewAuthority(t)
		files := a.Write(t, t.TempDir(), "first", time.Now().Add(time.Hour))
		l := open(t, files, slog.New(slog.NewTextHandler(&log, nil)))
		expired, _ := a.Sign(t, "expired", time.Now().Add(-time.Second))
		for i, bad := range []string{"", "no certificate", string(expired), string(a.PEM())} {
			log.Reset()
			write(t, files.Certificate, []byte(bad))
			for range 10 {
				time.Sleep(2 * time.Second)
				if name(l) != "first" {
					t.Fatalf("bad certificate %d was taken", i)
				}
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
				t.Errorf("bad certificate %d: %d errors in the log, want 1:\n%s", i, n, &log)
			}
		}
	})
}

func TestACertificateThatExpiresSoonIsInTheLogOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedLog
		files := certificatetest.NewAuthority(t).Write(t, t.TempDir(), "soon", time.Now().Add(certificate.Soon+36*time.Hour))
		l := open(t, files, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		go l.Watch(ctx, "http")
		time.Sleep(35 * time.Hour)
		if said := log.String(); said != "" {
			t.Errorf("a month and an hour before: %s", said)
		}
		time.Sleep(50 * time.Hour)
		cancel()
		synctest.Wait()
		if n := strings.Count(log.String(), "expires soon"); n != 3 {
			t.Errorf("%d warnings in 49 hours, want 3:\n%s", n, log.String())
		}
	})
}

// lockedLog is a log that is read while it is written.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestExpiryIsAMetric(t *testing.T) {
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	l := open(t, certificatetest.NewAuthority(t).Write(t, t.TempDir(), "first", expires), discard)
	registry := prometheus.NewRegistry()
	if err := l.Register(registry, "http"); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("%v, %v", families, err)
	}
	if got := families[0].Metric[0].Gauge.GetValue(); got != float64(expires.Unix()) {
		t.Errorf("the metric is %v, want %v", got, expires.Unix())
	}
}

func TestOneFileMayHoldCertificateAndKey(t *testing.T) {
	a := certificatetest.NewAuthority(t)
	files := a.Write(t, t.TempDir(), "first", time.Now().Add(time.Hour))
	cert, key := a.Sign(t, "both", time.Now().Add(time.Hour))
	write(t, files.Certificate, append(cert, key...))
	if l := open(t, certificate.Files{Certificate: files.Certificate}, discard); name(l) != "both" {
		t.Errorf("the certificate is that of %s", name(l))
	}
}

func TestServingAsksForClientsOfTheAuthority(t *testing.T) {
	files := certificatetest.NewAuthority(t).Write(t, t.TempDir(), "first", time.Now().Add(time.Hour))
	if c := open(t, files, discard).Keys().Server; c.ClientAuth != tls.RequireAndVerifyClientCert || c.ClientCAs == nil {
		t.Errorf("with an authority clients are asked %v", c.ClientAuth)
	}
	files.Authority = ""
	if c := open(t, files, discard).Keys().Server; c.ClientAuth != tls.NoClientCert || c.MinVersion != tls.VersionTLS12 {
		t.Errorf("without, clients are asked %v", c.ClientAuth)
	}
}
