package trust

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"

	"github.com/varvedb/varve/internal/certificate"
	"github.com/varvedb/varve/internal/rpc"
)

// Keyring is the certificate of one node and whom it believes.
type Keyring struct {
	*certificate.Live
}

// Open reads the files of a node.
func Open(files certificate.Files, log *slog.Logger) (*Keyring, error) {
	live, err := certificate.Open(files, serverConfig, log)
	if err != nil {
		return nil, err
	}
	return &Keyring{live}, nil
}

func serverConfig(k *certificate.Keys) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{k.Pair},
		ClientAuth:   tls.VerifyClientCertIfGiven,
		ClientCAs:    k.Authority,
	}
}

// TLS gives what secures rpc.
func (k *Keyring) TLS() *rpc.TLS {
	return &rpc.TLS{
		Server: k.Server(),
		Client: &tls.Config{
			MinVersion:           tls.VersionTLS13,
			ServerName:           ServerName,
			InsecureSkipVerify:   true, // VerifyConnection does, without a host name
			VerifyConnection:     func(s tls.ConnectionState) error { return verify(s, k.Keys().Authority) },
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &k.Keys().Pair, nil },
		},
		Node: node,
	}
}

// Leaf gives the hash of the certificate that is shown now.
func (k *Keyring) Leaf() [sha256.Size]byte { return sha256.Sum256(k.Keys().Pair.Certificate[0]) }

// Node gives which node the certificate names; ok is false where it names none.
func (k *Keyring) Node() (id rpc.Identity, ok bool) { return node(k.Keys().Pair.Leaf) }

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
