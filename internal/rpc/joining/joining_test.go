package joining

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/rpc/trust"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

var discard = slog.New(slog.DiscardHandler)

// cluster stands in for the metadata.
type cluster struct {
	id      string
	tokens  []*trust.Token
	signers []string
}

func (c *cluster) ID() string             { return c.id }
func (c *cluster) Etcd() ([]string, bool) { return []string{"etcd:2379"}, false }
func (c *cluster) Members() []string      { return []string{"n1:8088"} }
func (c *cluster) Signers() []string      { return c.signers }

func (c *cluster) Token(_ context.Context, id string) (*trust.Token, error) {
	for _, t := range c.tokens {
		if t.ID() == id {
			return t, nil
		}
	}
	return nil, model.ErrNotFound
}

func (c *cluster) Incarnation(_ context.Context, node uint64) (uint64, error) {
	if node != 7 {
		return 0, model.ErrNotFound
	}
	return 70, nil
}

func directory(t *testing.T) *trust.Directory {
	t.Helper()
	return trust.NewDirectory(vfs.OS, filepath.ToSlash(t.TempDir())+"/tls")
}

// keyring gives the keys of a node of a cluster.
func keyring(t *testing.T, a *trust.Authority, id rpc.Identity) *trust.Keyring {
	t.Helper()
	d := directory(t)
	key, err := d.Key()
	if err != nil {
		t.Fatal(err)
	}
	request, err := trust.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := a.Sign(request, id)
	if err == nil {
		err = d.Keep(cert, a.Certificate())
	}
	if err != nil {
		t.Fatal(err)
	}
	k, err := trust.Open(d.Files(), discard)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// serve runs a member and gives its address.
func serve(t *testing.T, c Cluster, k *trust.Keyring, a *trust.Authority) (string, *Member) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var tls *rpc.TLS
	if k != nil {
		tls = k.TLS()
	}
	s, err := rpc.NewServer(rpc.DefaultConfig(), rpc.Identity{Cluster: c.ID(), Node: 1}, tls, discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMember(c, k, a, discard)
	m.Register(s)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), m
}

func authority(t *testing.T) *trust.Authority {
	t.Helper()
	a, err := trust.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func joiner(token *trust.Token, d *trust.Directory) *Joiner {
	return &Joiner{Name: "n2", Token: token, Directory: d, RPC: rpc.DefaultConfig(), Log: discard}
}

func TestOnLoopbackANodeJoinsWithoutProof(t *testing.T) {
	address, _ := serve(t, &cluster{id: "c"}, nil, nil)
	got, err := joiner(nil, nil).Join(t.Context(), []string{"127.0.0.1:1", address})
	if err != nil || got.Cluster != "c" || len(got.Etcd) != 1 || len(got.Members) != 1 {
		t.Errorf("Join gave %+v, %v", got, err)
	}
}

func TestATokenGetsACertificateThatLaterNamesTheNode(t *testing.T) {
	a := authority(t)
	shared, err := trust.ParseToken(strings.Repeat("secret ", 6))
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]*trust.Token{"token": trust.NewToken(a.Fingerprint(), time.Hour), "shared secret": shared} {
		t.Run(name, func(t *testing.T) {
			c := &cluster{id: "c", tokens: []*trust.Token{token}}
			address, _ := serve(t, c, keyring(t, a, rpc.Identity{Cluster: "c", Node: 1}), a)
			d := directory(t)
			j := joiner(token, d)
			if _, err := j.Join(t.Context(), []string{address}); err != nil {
				t.Fatal(err)
			}
			k, err := trust.Open(d.Files(), discard)
			if err != nil {
				t.Fatal(err)
			}
			if id, ok := k.Node(); !ok || id != (rpc.Identity{Cluster: "c"}) {
				t.Errorf("the first certificate is for %+v", id)
			}
			if key, err := d.Authority(); key != nil || err != nil {
				t.Errorf("a node without the metadata got the authority's key (%v)", err)
			}
			certify := func(node, incarnation uint64) error {
				return Certify(t.Context(), rpc.DefaultConfig(), []string{address}, k, d, node, incarnation, discard)
			}
			if err := certify(7, 71); !errors.Is(err, model.ErrInvalid) {
				t.Errorf("a certificate of another directory's node: %v", err)
			}
			if err := certify(7, 70); err != nil {
				t.Fatal(err)
			}
			if err := k.Reload(); err != nil {
				t.Fatal(err)
			}
			if id, _ := k.Node(); id != (rpc.Identity{Cluster: "c", Node: 7}) {
				t.Errorf("the certificate is for %+v, want node 7", id)
			}

			j.Meta = true
			if _, err := j.Join(t.Context(), []string{address}); err != nil {
				t.Fatal(err)
			}
			if got, err := d.Authority(); err != nil || got == nil || got.Fingerprint() != a.Fingerprint() {
				t.Errorf("a node with the metadata got the authority %v, %v", got, err)
			}
		})
	}
}

func TestAMemberWithoutTheAuthorityNamesThoseThatHaveIt(t *testing.T) {
	a := authority(t)
	token := trust.NewToken(a.Fingerprint(), time.Hour)
	signer, _ := serve(t, &cluster{id: "c", tokens: []*trust.Token{token}}, keyring(t, a, rpc.Identity{Cluster: "c", Node: 1}), a)
	address, _ := serve(t, &cluster{id: "c", tokens: []*trust.Token{token}, signers: []string{signer}}, keyring(t, a, rpc.Identity{Cluster: "c", Node: 1}), nil)
	d := directory(t)
	if _, err := joiner(token, d).Join(t.Context(), []string{address}); err != nil {
		t.Fatal(err)
	}
	if ok, err := d.Joined(); !ok || err != nil {
		t.Errorf("there is no certificate (%v)", err)
	}
}

func TestNodesAreRefusedInOneLine(t *testing.T) {
	a := authority(t)
	expired := trust.NewToken(a.Fingerprint(), time.Hour)
	late := *expired
	expired.Expires = time.Now().Add(-time.Second) // of the member's copy
	good := trust.NewToken(a.Fingerprint(), time.Hour)
	stolen := *good
	stolen.Secret[0]++ // its id is known, its secret is not
	address, _ := serve(t, &idCluster{cluster{id: "c", tokens: []*trust.Token{good, expired}}, good}, keyring(t, a, rpc.Identity{Cluster: "c", Node: 1}), a)
	over := trust.NewToken(a.Fingerprint(), -time.Hour)
	other := trust.NewToken(authority(t).Fingerprint(), time.Hour)

	for _, test := range []struct {
		name  string
		token *trust.Token
		want  string
	}{
		{"without a token", nil, ""},
		{"an unknown token", trust.NewToken(a.Fingerprint(), time.Hour), "wrong or has expired"},
		{"an expired token", &late, "wrong or has expired"},
		{"a token that this node knows to be over", over, "the join token expired on"},
		{"another cluster's token", other, "not the one that the token was made for"},
		{"a token whose secret is not known", &stolen, "does not know the secret"},
	} {
		_, err := joiner(test.token, directory(t)).Join(t.Context(), []string{address})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s gave %v, want one line with %q", test.name, err, test.want)
		}
	}
}

// idCluster gives one token for every id that is unknown.
type idCluster struct {
	cluster
	fallback *trust.Token
}

func (c *idCluster) Token(ctx context.Context, id string) (*trust.Token, error) {
	stolen := *c.fallback
	stolen.Secret[0]++
	if id == stolen.ID() {
		return c.fallback, nil
	}
	return c.cluster.Token(ctx, id)
}

func TestAProofIsTakenOnceAndOnlyInTime(t *testing.T) {
	a := authority(t)
	token := trust.NewToken(a.Fingerprint(), time.Hour)
	_, m := serve(t, &cluster{id: "c", tokens: []*trust.Token{token}}, keyring(t, a, rpc.Identity{Cluster: "c", Node: 1}), a)
	key, err := trust.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := trust.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	greet := func() *joinRequest {
		r := &greetRequest{Token: token.ID(), Joiner: trust.NewNonce()}
		g, err := m.greet(t.Context(), rpc.Caller{}, r)
		if err != nil {
			t.Fatal(err)
		}
		j := &joinRequest{Token: r.Token, Joiner: r.Joiner, Member: g.Member, Says: encode(&joinSays{Name: "n2", Request: csr})}
		j.Proof = token.Proof(trust.SideJoiner, m.exchange(j.Joiner, j.Member), j.Says)
		return j
	}
	join := func(r *joinRequest) error {
		_, err := m.join(t.Context(), rpc.Caller{}, r)
		return err
	}
	r := greet()
	if err := join(r); err != nil {
		t.Fatal(err)
	}
	if err := join(r); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("the same proof again gave %v", err)
	}
	r = greet()
	r.Says = encode(&joinSays{Name: "n2", Request: csr, Meta: true})
	if err := join(r); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("other words with the same proof gave %v", err)
	}
	r = greet()
	m.nonces[r.Member] = time.Now().Add(-2 * nonceLife)
	if err := join(r); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("a proof long after the greeting gave %v", err)
	}
	for range maxNonces - len(m.nonces) {
		greet()
	}
	if _, err := m.greet(t.Context(), rpc.Caller{}, &greetRequest{Token: token.ID()}); !errors.Is(err, model.ErrOverloaded) {
		t.Errorf("greeting %d gave %v", maxNonces+1, err)
	}
	if err := decode([]byte("{"), &joinRequest{}); !errors.Is(err, model.ErrInvalid) {
		t.Error(fmt.Sprint("garbage gave ", err))
	}
}
