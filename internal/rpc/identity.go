package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// Identity is who a node says it is. The zero Identity is that of a node that
// is about to join: it reaches only what is registered with Open.
type Identity struct {
	Cluster string // the id of the cluster, made when it was
	Node    uint64
}

// Caller is who made a call. With TLS it is what the certificate says.
type Caller struct {
	Identity
	Remote string // its address, for logs

	// Certified says that it has shown a certificate that this node believes.
	// With TLS every member has; a node that is about to join may.
	Certified bool
}

// TLS is what secures the connections of a Server and a Pool. Without it they
// are plain, which is for loopback only.
type TLS struct {
	// Server asks for a certificate of the client but does not insist: a node
	// that is about to join has none. Whoever claims to be a node without one
	// is refused.
	Server *tls.Config
	Client *tls.Config
	// Node gives what a verified certificate says of the node it belongs to;
	// ok is false for a certificate that does not name one, as those from a
	// configuration may not.
	Node func(*x509.Certificate) (id Identity, ok bool)
}

// matches says whether a verified certificate may speak for a node.
func (t *TLS) matches(cert *x509.Certificate, id Identity) (reason string, err error) {
	if named, ok := t.Node(cert); ok && named != id {
		return "certificate", fmt.Errorf("the certificate is that of node %d of cluster %q, not of node %d of cluster %q",
			named.Node, named.Cluster, id.Node, id.Cluster)
	}
	return "", nil
}
