package main

import (
	"context"
	"errors"
	"path"
	"slices"

	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/rpc/joining"
	"github.com/varvedb/varve/internal/rpc/trust"
	"github.com/varvedb/varve/meta/embedded"
)

// security is how the connections between the nodes are secured.
type security struct {
	keyring   *trust.Keyring   // nil: plain, on loopback
	directory *trust.Directory // nil: plain, or the certificates are the operator's
	authority *trust.Authority // nil: this node signs no certificates
}

// openSecurity reads what there is of certificates.
func (s *server) openSecurity() error {
	secured, err := s.cfg.Secured()
	if err != nil || !secured || !s.cfg.Clustered() {
		return err
	}
	if s.cfg.OwnCertificates() {
		s.security.keyring, err = trust.Open(s.cfg.TLS, s.log)
		return err
	}
	s.security.directory = trust.NewDirectory(s.fs, path.Join(s.dir, "tls"))
	return s.security.read(s)
}

// read reads the certificate and, where this node has it, the authority.
func (x *security) read(s *server) error {
	joined, err := x.directory.Joined()
	if err != nil || !joined {
		return err
	}
	if x.keyring, err = trust.Open(x.directory.Files(), s.log); err != nil {
		return err
	}
	x.authority, err = x.directory.Authority()
	return err
}

// found makes the authority of a new cluster and the certificate of its first
// node, whose number is not known yet.
func (x *security) found(s *server) error {
	if x.directory == nil || x.keyring != nil {
		return nil
	}
	a, err := x.directory.Authority()
	if err == nil && a == nil {
		if a, err = trust.NewAuthority(); err == nil {
			err = x.directory.KeepAuthority(a)
		}
	}
	if err != nil {
		return err
	}
	x.authority = a
	if err := x.sign(rpc.Identity{}); err != nil {
		return err
	}
	return x.read(s)
}

// sign makes a certificate of this node with the own authority.
func (x *security) sign(id rpc.Identity) error {
	key, err := x.directory.Key()
	if err != nil {
		return err
	}
	request, err := trust.Request(key)
	if err != nil {
		return err
	}
	cert, err := x.authority.Sign(request, id)
	if err != nil {
		return err
	}
	return x.directory.Keep(cert, x.authority.Certificate())
}

// name gets the certificate that names this node, once it has a number.
func (x *security) name(ctx context.Context, s *server, id rpc.Identity, incarnation uint64) error {
	if x.directory == nil {
		return nil
	}
	if named, ok := x.keyring.Node(); ok && named == id {
		return nil
	}
	var err error
	if x.authority != nil {
		err = x.sign(id)
	} else {
		members := append(slices.Clone(s.known.Members), s.cfg.Join...)
		err = joining.Certify(ctx, rpc.DefaultConfig(), members, x.keyring, x.directory, id.Node, incarnation, s.log)
	}
	if err != nil {
		return err
	}
	return x.keyring.Reload()
}

// tls gives what secures rpc.
func (x *security) tls() *rpc.TLS {
	if x.keyring == nil {
		return nil
	}
	return x.keyring.TLS()
}

// etcd gives what secures both ports of etcd.
func (x *security) etcd() embedded.TLS {
	if x.keyring == nil {
		return embedded.TLS{}
	}
	f := x.keyring.Files()
	t := embedded.TLS{CertFile: f.Certificate, KeyFile: f.Key, CAFile: f.Authority}
	if x.directory != nil {
		t.ServerName = trust.ServerName
	}
	return t
}

var errNoToken = errors.New("join-token must be set: beyond loopback a node is let in by a token (varve ctl join-token on a member), or by certificates of your own (tls-certificate)")
