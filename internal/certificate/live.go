package certificate

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/varvedb/varve/model"
)

// Files are where a certificate is.
type Files struct {
	Certificate string // in PEM, with those between it and the authority
	Key         string // "": in the file of the certificate
	Authority   string // those whose certificates are believed; "": nobody's
}

// Keys is what the files held at one time.
type Keys struct {
	Pair      tls.Certificate
	Authority *x509.CertPool // nil where no file of it is named
	Server    *tls.Config    // for the connections of others
}

// Live is the certificate that is in force.
type Live struct {
	files  Files
	server func(*Keys) *tls.Config
	log    *slog.Logger

	mu struct {
		sync.Mutex
		looked time.Time // when the files were last looked at
		read   time.Time // when they were last read, also in vain
		stamps [3]stamp  // of what was read
		now    *Keys
		failed bool // what was read cannot be used; now is older
	}
}

// stamp tells one content of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

const (
	// lookAgain is how long the files are not looked at again.
	lookAgain = time.Second
	// tryAgain is how long files that could not be used are not read again as
	// long as they are the same.
	tryAgain = time.Minute
)

// Open reads the files. server gives what serves with what they hold; it is
// called once for each content, so that clients may resume their sessions.
func Open(files Files, server func(*Keys) *tls.Config, log *slog.Logger) (*Live, error) {
	files.Key = cmp.Or(files.Key, files.Certificate)
	l := &Live{files: files, server: server, log: log}
	if err := l.Reload(); err != nil {
		return nil, err
	}
	return l, nil
}

// Files gives where the certificate is.
func (l *Live) Files() Files { return l.files }

// Server gives what serves with the certificate that is in force when a
// connection is opened; nil where there is none.
func (l *Live) Server() *tls.Config {
	if l == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return l.Keys().Server, nil },
	}
}

// Expires gives when the certificate in force does.
func (l *Live) Expires() time.Time { return l.Keys().Pair.Leaf.NotAfter }

// Keys gives what the files hold. What cannot be used keeps what was there.
func (l *Live) Keys() *Keys {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.mu.looked) < lookAgain {
		return l.mu.now
	}
	l.mu.looked = time.Now()
	stamps := l.look()
	if stamps == l.mu.stamps && (!l.mu.failed || time.Since(l.mu.read) < tryAgain) {
		return l.mu.now
	}
	next, err := l.open()
	l.mu.read, l.mu.stamps, l.mu.failed = l.mu.looked, stamps, err != nil
	if err != nil {
		l.log.Error("cannot use the changed certificate, staying with the old one", "error", err, "expires", l.mu.now.Pair.Leaf.NotAfter)
		return l.mu.now
	}
	l.mu.now = next
	l.log.Info("read the changed certificate", "file", l.files.Certificate, "expires", next.Pair.Leaf.NotAfter)
	return next
}

// Reload reads the files now.
func (l *Live) Reload() error {
	stamps := l.look()
	next, err := l.open()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.now, l.mu.stamps, l.mu.failed = next, stamps, false
	l.mu.looked = time.Now()
	l.mu.read = l.mu.looked
	return nil
}

func (l *Live) look() (out [3]stamp) {
	for i, name := range []string{l.files.Certificate, l.files.Key, l.files.Authority} {
		if info, err := os.Stat(name); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

func (l *Live) open() (*Keys, error) {
	pair, err := tls.LoadX509KeyPair(l.files.Certificate, l.files.Key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s and its key: %w", l.files.Certificate, err)
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("read certificate %s: it expired on %s: %w", l.files.Certificate, pair.Leaf.NotAfter.Format(time.RFC3339), model.ErrInvalid)
	}
	k := &Keys{Pair: pair}
	if l.files.Authority != "" {
		b, err := os.ReadFile(l.files.Authority)
		if err != nil {
			return nil, fmt.Errorf("read authority: %w", err)
		}
		k.Authority = x509.NewCertPool()
		if !k.Authority.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("read authority: no certificate in %s: %w", l.files.Authority, model.ErrInvalid)
		}
	}
	k.Server = l.server(k)
	return k, nil
}
