package trust

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"

	"github.com/varvedb/varve/internal/rpc"
)

// Visitor is the TLS of a node that has no certificate yet, for connections to
// one member.
type Visitor struct {
	token *Token

	mu   sync.Mutex
	leaf [sha256.Size]byte
}

// NewVisitor gives the TLS of a node that has nothing but a token. With a
// fingerprint in it only the cluster of that authority is talked to; without
// one the member must prove itself, see Token.Proof.
func NewVisitor(token *Token) *Visitor { return &Visitor{token: token} }

// TLS gives what secures rpc.
func (v *Visitor) TLS() *rpc.TLS {
	return &rpc.TLS{
		Client: &tls.Config{
			MinVersion:         tls.VersionTLS13,
			ServerName:         ServerName,
			InsecureSkipVerify: true, // VerifyConnection does
			VerifyConnection:   v.verify,
		},
		Node: node,
	}
}

// Leaf gives the hash of the certificate that the member showed last.
func (v *Visitor) Leaf() [sha256.Size]byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.leaf
}

var errFingerprint = errors.New("the cluster there is not the one that the token was made for, or it has certificates of its own")

func (v *Visitor) verify(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the node shows no certificate")
	}
	if v.token.Fingerprint != [sha256.Size]byte{} {
		roots := x509.NewCertPool()
		found := false
		for _, c := range s.PeerCertificates[1:] {
			if v.token.Names(sha256.Sum256(c.Raw)) {
				roots.AddCert(c)
				found = true
			}
		}
		if !found {
			return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: errFingerprint}
		}
		if err := verify(s, roots); err != nil {
			return fmt.Errorf("token: %w", err)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.leaf = sha256.Sum256(s.PeerCertificates[0].Raw)
	return nil
}
