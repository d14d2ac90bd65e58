package trust

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

var discard = slog.New(slog.DiscardHandler)

func authority(t *testing.T) *Authority {
	t.Helper()
	a, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// member gives the keys of a node in a folder of its own.
func member(t *testing.T, a *Authority, id rpc.Identity) *Keyring {
	t.Helper()
	d := NewDirectory(vfs.OS, filepath.ToSlash(t.TempDir())+"/tls")
	key, err := d.Key()
	if err != nil {
		t.Fatal(err)
	}
	request, err := Request(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := a.Sign(request, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Keep(cert, a.Certificate()); err != nil {
		t.Fatal(err)
	}
	k, err := Open(d.Files(), discard)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// serve runs a server of node 1 of cluster "c" and gives its address.
func serve(t *testing.T, tls *rpc.TLS) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := rpc.NewServer(rpc.DefaultConfig(), rpc.Identity{Cluster: "c", Node: 1}, tls, discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(context.Context, rpc.Caller, []byte) ([]byte, error) { return nil, nil }
	s.Unary("test.member", answer)
	s.Open("test.open", answer)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func call(t *testing.T, self rpc.Identity, tls *rpc.TLS, address, method string) error {
	t.Helper()
	p, err := rpc.NewPool(rpc.DefaultConfig(), self, tls, discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, err = p.Conn(address).Call(t.Context(), method, nil)
	return err
}

func TestANodeSpeaksForItselfOnly(t *testing.T) {
	a := authority(t)
	one, two := rpc.Identity{Cluster: "c", Node: 1}, rpc.Identity{Cluster: "c", Node: 2}
	address := serve(t, member(t, a, one).TLS())
	second := member(t, a, two)

	tests := []struct {
		name string
		self rpc.Identity
		tls  *rpc.TLS
		want string // "" when it is let in
	}{
		{"a member", two, second.TLS(), ""},
		{"another node's number", rpc.Identity{Cluster: "c", Node: 3}, second.TLS(), "the certificate is that of node 2"},
		{"another cluster's authority", two, member(t, authority(t), two).TLS(), "unknown authority"},
		{"no certificate", two, NewVisitor(&Token{Fingerprint: a.Fingerprint()}).TLS(), "shows no certificate"},
		{"another cluster", rpc.Identity{Cluster: "d", Node: 2}, second.TLS(), `this is cluster "c"`},
	}
	for _, test := range tests {
		err := call(t, test.self, test.tls, address, "test.member")
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (!errors.Is(err, rpc.ErrRefused) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want a refusal with %q", test.name, err, test.want)
		}
	}
	if err := call(t, two, nil, address, "test.member"); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("without TLS: %v", err)
	}
	// A server that is not the node it claims to be.
	impostor := serve(t, member(t, a, two).TLS())
	if err := call(t, two, second.TLS(), impostor, "test.member"); !errors.Is(err, rpc.ErrRefused) {
		t.Errorf("node 2's certificate spoke for node 1: %v", err)
	}
}

func TestAVisitorTalksToTheClusterOfItsTokenOnly(t *testing.T) {
	a := authority(t)
	k := member(t, a, rpc.Identity{Cluster: "c", Node: 1})
	address := serve(t, k.TLS())
	v := NewVisitor(NewToken(a.Fingerprint(), time.Hour))
	if err := call(t, rpc.Identity{}, v.TLS(), address, "test.open"); err != nil {
		t.Errorf("with the right fingerprint: %v", err)
	}
	if v.Leaf() != k.Leaf() {
		t.Error("the visitor saw another certificate than the member shows")
	}
	other := NewVisitor(NewToken(authority(t).Fingerprint(), time.Hour))
	if err := call(t, rpc.Identity{}, other.TLS(), address, "test.open"); !errors.Is(err, rpc.ErrRefused) || !strings.Contains(err.Error(), "not the one that the token was made for") {
		t.Errorf("with another cluster's fingerprint: %v", err)
	}
	shared, err := ParseToken(strings.Repeat("s", minShared))
	if err != nil {
		t.Fatal(err)
	}
	if err := call(t, rpc.Identity{}, NewVisitor(shared).TLS(), address, "test.open"); err != nil {
		t.Errorf("with a shared secret: %v", err)
	}
}

func TestAnExpiredCertificateIsRefused(t *testing.T) {
	a, id := authority(t), rpc.Identity{Cluster: "c", Node: 2}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "old"}, NotBefore: past.Add(-time.Hour), NotAfter: past,
	}, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	k := member(t, a, id)
	b, err := encodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{k.Files().Certificate: encodePEM(certificatePEM, der), k.Files().Key: b} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(k.Files(), discard); err == nil || !strings.Contains(err.Error(), "expired on") {
		t.Errorf("Open gave %v", err)
	}
}

func TestTokensAreOneWordAndKeepTheirContent(t *testing.T) {
	token := NewToken(authority(t).Fingerprint(), time.Hour)
	text := token.String()
	if strings.ContainsAny(text, " \n") {
		t.Errorf("the token is %q", text)
	}
	got, err := ParseToken(text + "\n")
	if err != nil || *got != *token {
		t.Errorf("%+v came back as %+v, %v", token, got, err)
	}
	for i := range text {
		if _, err := ParseToken(text[:i]); err == nil && !strings.HasPrefix(text, text[:min(i, 7)]) {
			t.Errorf("the first %d characters are a token", i)
		}
	}
	changed := []byte(text)
	changed[20] ^= 1
	if _, err := ParseToken(string(changed)); !errors.Is(err, model.ErrInvalid) || strings.Contains(err.Error(), string(changed[10:])) {
		t.Errorf("a changed token gave %v", err)
	}
	if _, err := ParseToken("too short"); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("a short secret gave %v", err)
	}
	if !token.Expired(token.Expires) || token.Expired(token.Expires.Add(-time.Second)) {
		t.Error("the token does not end when it says")
	}
}

func TestAProofIsOfOneSideAndOneExchange(t *testing.T) {
	token := NewToken(authority(t).Fingerprint(), time.Hour)
	x := Exchange{Joiner: NewNonce(), Member: NewNonce(), Server: sha256.Sum256([]byte("cert"))}
	proof := token.Proof(SideJoiner, x, []byte("request"))
	if !token.Proves(proof, SideJoiner, x, []byte("request")) {
		t.Fatal("a good proof is none")
	}
	if token.Proves(proof, SideMember, x, []byte("request")) {
		t.Error("the proof can be sent back")
	}
	if token.Proves(proof, SideJoiner, x, []byte("another")) {
		t.Error("the proof holds for another request")
	}
	for _, change := range []func(*Exchange){
		func(x *Exchange) { x.Joiner[0]++ }, func(x *Exchange) { x.Member[0]++ }, func(x *Exchange) { x.Server[0]++ },
	} {
		y := x
		change(&y)
		if token.Proves(proof, SideJoiner, y, []byte("request")) {
			t.Error("the proof holds for another exchange")
		}
	}
	if NewToken(authority(t).Fingerprint(), time.Hour).Proves(proof, SideJoiner, x, []byte("request")) {
		t.Error("the proof holds for another token")
	}
}

func TestTheAuthorityIsTheSameAfterAStart(t *testing.T) {
	d := NewDirectory(vfs.OS, filepath.ToSlash(t.TempDir())+"/tls")
	if a, err := d.Authority(); a != nil || err != nil {
		t.Fatalf("an empty folder has the authority %v, %v", a, err)
	}
	a := authority(t)
	if err := d.KeepAuthority(a); err != nil {
		t.Fatal(err)
	}
	got, err := d.Authority()
	if err != nil || got.Fingerprint() != a.Fingerprint() {
		t.Errorf("it came back as %v, %v", got, err)
	}
	info, err := os.Stat(filepath.FromSlash(d.path + "/authority.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is readable by others: %v, %v", info, err)
	}
}

func FuzzParseToken(f *testing.F) {
	a, err := NewAuthority()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(NewToken(a.Fingerprint(), time.Hour).String())
	f.Add(tokenPrefix)
	f.Add(strings.Repeat("x", 40))
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil || !strings.HasPrefix(strings.TrimSpace(text), tokenPrefix) {
			return
		}
		if token.String() != strings.TrimSpace(text) {
			t.Errorf("%q became %q", text, token)
		}
	})
}
