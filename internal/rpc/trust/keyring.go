package trust

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/model"
)

// Files are where the certificate of a node is.
type Files struct {
	Certificate string // in PEM, with those between it and the authority
	Key         string
	Authority   string // those whose certificates are believed
}

// Keyring is the certificate of one node and whom it believes, read from files
// that may be replaced at any time.
type Keyring struct {
	files Files
	log   *slog.Logger

	mu struct {
		sync.Mutex
		looked time.Time // when the files were last looked at
		stamps [3]stamp
		now    *keys
	}
}

// keys is what the files held at one time.
type keys struct {
	pair   tls.Certificate
	roots  *x509.CertPool
	server *tls.Config
}

// stamp tells one content of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

// lookAgain is how long the files are not looked at again.
const lookAgain = time.Second

// Open reads the files.
func Open(files Files, log *slog.Logger) (*Keyring, error) {
	k := &Keyring{files: files, log: log}
	if err := k.Reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// Files gives where the keys are, for etcd, which reads them itself.
func (k *Keyring) Files() Files { return k.files }

// TLS gives what secures rpc.
func (k *Keyring) TLS() *rpc.TLS {
	return &rpc.TLS{
		Server: &tls.Config{
			MinVersion:         tls.VersionTLS13,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return k.keys().server, nil },
		},
		Client: &tls.Config{
			MinVersion:           tls.VersionTLS13,
			ServerName:           ServerName,
			InsecureSkipVerify:   true, // VerifyConnection does, without a host name
			VerifyConnection:     func(s tls.ConnectionState) error { return verify(s, k.keys().roots) },
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &k.keys().pair, nil },
		},
		Node: node,
	}
}

// Leaf gives the hash of the certificate that is shown now.
func (k *Keyring) Leaf() [sha256.Size]byte { return sha256.Sum256(k.keys().pair.Certificate[0]) }

// Node gives which node the certificate names; ok is false where it names none.
func (k *Keyring) Node() (id rpc.Identity, ok bool) { return node(k.keys().pair.Leaf) }

// keys gives what the files hold. What cannot be used keeps what was there.
func (k *Keyring) keys() *keys {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.mu.looked) < lookAgain {
		return k.mu.now
	}
	k.mu.looked = time.Now()
	stamps := k.look()
	if stamps == k.mu.stamps {
		return k.mu.now
	}
	next, err := k.read()
	if err != nil {
		k.log.Error("cannot read the changed certificate, staying with the old one", "error", err)
		return k.mu.now
	}
	k.mu.now, k.mu.stamps = next, stamps
	k.log.Info("read the changed certificate", "file", k.files.Certificate, "expires", next.pair.Leaf.NotAfter)
	return next
}

// Reload reads the files now.
func (k *Keyring) Reload() error {
	stamps := k.look()
	next, err := k.read()
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.now, k.mu.stamps, k.mu.looked = next, stamps, time.Now()
	return nil
}

func (k *Keyring) look() (out [3]stamp) {
	for i, name := range []string{k.files.Certificate, k.files.Key, k.files.Authority} {
		if info, err := os.Stat(name); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

func (k *Keyring) read() (*keys, error) {
	pair, err := tls.LoadX509KeyPair(k.files.Certificate, k.files.Key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s and its key: %w", k.files.Certificate, err)
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("read certificate %s: it expired on %s: %w", k.files.Certificate, pair.Leaf.NotAfter.Format(time.RFC3339), model.ErrInvalid)
	}
	b, err := os.ReadFile(k.files.Authority)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("read authority: no certificate in %s: %w", k.files.Authority, model.ErrInvalid)
	}
	return &keys{pair: pair, roots: roots, server: &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.VerifyClientCertIfGiven,
		ClientCAs:    roots,
	}}, nil
}

// verify checks the certificate of a server, but for its host name: the Hello
// of package rpc says which node it must be.
func verify(s tls.ConnectionState, roots *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the node shows no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
	}
	return nil
}
