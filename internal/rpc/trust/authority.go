package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/model"
)

// ServerName is the host name in every certificate. Nodes are known by their
// ids; their addresses may change without a new certificate.
const ServerName = "node.varve.internal"

const (
	authorityLife = 20 * 365 * 24 * time.Hour
	// nodeLife is long because nothing else than the node's own start renews a
	// certificate; a node is shut out by removing it from the cluster.
	nodeLife = 10 * 365 * 24 * time.Hour
	// early bears with clocks that are behind.
	early = time.Hour
)

// Authority signs the certificates of one cluster.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes the authority of a new cluster.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Varve cluster authority"},
		NotBefore:             now.Add(-early),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	return &Authority{cert: cert, key: key}, nil
}

// ParseAuthority reads what Certificate and Key gave.
func ParseAuthority(certificate, key []byte) (*Authority, error) {
	cert, err := parseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	k, err := parseKey(key)
	if err != nil {
		return nil, fmt.Errorf("read key of authority: %w", err)
	}
	if !cert.IsCA || !k.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("read authority: the key does not belong to the certificate: %w", model.ErrCorrupt)
	}
	return &Authority{cert: cert, key: k}, nil
}

// Certificate gives the authority's certificate in PEM.
func (a *Authority) Certificate() []byte { return encodePEM(certificatePEM, a.cert.Raw) }

// Key gives the authority's key in PEM. Whoever has it can be any node.
func (a *Authority) Key() ([]byte, error) { return encodeKey(a.key) }

// Fingerprint gives the hash of the authority's certificate.
func (a *Authority) Fingerprint() [sha256.Size]byte { return sha256.Sum256(a.cert.Raw) }

// Sign gives a certificate, in PEM, for the key of a request that was made by
// Request. id.Node is 0 for a node that has no number yet.
func (a *Authority) Sign(request []byte, id rpc.Identity) ([]byte, error) {
	r, err := x509.ParseCertificateRequest(request)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w: %w", model.ErrInvalid, err)
	}
	if _, ok := r.PublicKey.(*ecdsa.PublicKey); !ok {
		return nil, fmt.Errorf("certificate request with a key of an unknown kind: %w", model.ErrInvalid)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: fmt.Sprintf("Varve node %d", id.Node)},
		NotBefore:    now.Add(-early),
		NotAfter:     minTime(now.Add(nodeLife), a.cert.NotAfter),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{ServerName},
		URIs:         []*url.URL{nodeURI(id)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, r.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	// The authority's certificate goes with it, for those who know only its
	// fingerprint.
	return append(encodePEM(certificatePEM, der), a.Certificate()...), nil
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// serial gives a number that is never used twice.
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f // positive
	return new(big.Int).SetBytes(b[:])
}

const uriScheme = "varve"

func nodeURI(id rpc.Identity) *url.URL {
	return &url.URL{Scheme: uriScheme, Host: id.Cluster, Path: "/node/" + strconv.FormatUint(id.Node, 10)}
}

// node gives what a certificate says of the node it belongs to.
func node(cert *x509.Certificate) (id rpc.Identity, ok bool) {
	for _, u := range cert.URIs {
		if u.Scheme != uriScheme {
			continue
		}
		number, found := strings.CutPrefix(u.Path, "/node/")
		n, err := strconv.ParseUint(number, 10, 64)
		return rpc.Identity{Cluster: u.Host, Node: n}, found && err == nil
	}
	return rpc.Identity{}, false
}

// Request gives a certificate request for a key.
func Request(key *ecdsa.PrivateKey) ([]byte, error) {
	r, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return r, nil
}

// NewKey makes the key of a node.
func NewKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

const (
	certificatePEM = "CERTIFICATE"
	keyPEM         = "PRIVATE KEY"
)

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return encodePEM(keyPEM, der), nil
}

func parseKey(b []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != keyPEM {
		return nil, fmt.Errorf("not a private key in PEM: %w", model.ErrCorrupt)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", model.ErrCorrupt, err)
	}
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of another kind: %w", model.ErrCorrupt)
	}
	return k, nil
}

// parseCertificate reads the first certificate of b.
func parseCertificate(b []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != certificatePEM {
		return nil, fmt.Errorf("not a certificate in PEM: %w", model.ErrCorrupt)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.Join(model.ErrCorrupt, err)
	}
	return cert, nil
}
