package joining

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/rpc/trust"
	"github.com/varvedb/varve/model"
)

// Joiner is a node that is not a member yet. One of Token and Keyring may be
// set; with neither it joins without TLS.
type Joiner struct {
	Name      string
	Meta      bool // it will run the metadata
	Token     *trust.Token
	Keyring   *trust.Keyring   // certificates from the configuration
	Directory *trust.Directory // where to keep what is given for a Token
	RPC       rpc.Config
	Log       *slog.Logger
}

// Joined is what a node learns in joining.
type Joined struct {
	Cluster  string
	Etcd     []string // its addresses for clients
	External bool     // etcd is not run by the nodes
	Members  []string // rpc addresses
}

// tryFor bounds the talk with one member.
const tryFor = 10 * time.Second

// Join asks the members at addresses, one after the other, to be let in. What
// it gets is kept in the Directory. A refusal is final: it is the error at
// once, and of kind rpc.ErrRefused or model.ErrInvalid.
func (j *Joiner) Join(ctx context.Context, addresses []string) (*Joined, error) {
	if j.Token != nil && j.Token.Expired(time.Now()) {
		return nil, refused("the join token expired on " + j.Token.Expires.UTC().Format(time.RFC3339))
	}
	todo := slices.Clone(addresses)
	var errs []error
	for len(todo) > 0 {
		address := todo[0]
		todo = todo[1:]
		joined, signers, err := j.ask(ctx, address)
		switch {
		case err == nil && joined != nil:
			return joined, nil
		case errors.Is(err, rpc.ErrRefused), errors.Is(err, model.ErrInvalid):
			return nil, fmt.Errorf("join at %s: %w", address, err)
		case err != nil:
			errs = append(errs, err)
		}
		for _, s := range signers {
			if !slices.Contains(addresses, s) {
				addresses, todo = append(addresses, s), append(todo, s)
			}
		}
	}
	return nil, fmt.Errorf("join: no member could let this node in: %w", inOneLine(errs))
}

// inOneLine gives errors as one that ends in no new line.
func inOneLine(errs []error) error {
	err := errs[0]
	for _, next := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, next)
	}
	return err
}

// connection gives the TLS of this node, and the certificate that the member
// showed.
func (j *Joiner) connection() (t *rpc.TLS, leaf func() [sha256.Size]byte) {
	none := func() (leaf [sha256.Size]byte) { return leaf }
	switch {
	case j.Keyring != nil:
		return j.Keyring.TLS(), none
	case j.Token != nil:
		v := trust.NewVisitor(j.Token)
		return v.TLS(), v.Leaf
	}
	return nil, none
}

// ask talks to one member, which lets this node in or names those that can.
func (j *Joiner) ask(ctx context.Context, address string) (joined *Joined, signers []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	t, leaf := j.connection()
	pool, err := rpc.NewPool(j.RPC, rpc.Identity{}, t, j.Log, nil)
	if err != nil {
		return nil, nil, err
	}
	defer pool.Close()
	conn := pool.Conn(address)

	greet := greetRequest{Joiner: trust.NewNonce()}
	if j.Token != nil {
		greet.Token = j.Token.ID()
	}
	var greeted greetAnswer
	if err := call(ctx, conn, methodGreet, &greet, &greeted); err != nil {
		return nil, nil, err
	}
	x := trust.Exchange{Joiner: greet.Joiner, Member: greeted.Member, Server: leaf()}
	if j.Token != nil && !j.Token.Proves(greeted.Proof, trust.SideMember, x, []byte(greeted.Cluster)) {
		return nil, nil, refused("the node there does not know the secret of the join token")
	}
	if len(greeted.Signers) > 0 {
		return nil, greeted.Signers, nil
	}
	says := joinSays{Name: j.Name, Meta: j.Meta}
	if j.Token != nil {
		key, err := j.Directory.Key()
		if err != nil {
			return nil, nil, err
		}
		if says.Request, err = trust.Request(key); err != nil {
			return nil, nil, err
		}
	}
	join := joinRequest{Token: greet.Token, Joiner: greet.Joiner, Member: greeted.Member, Says: encode(&says)}
	if j.Token != nil {
		join.Proof = j.Token.Proof(trust.SideJoiner, x, join.Says)
	}
	var a joinAnswer
	if err := call(ctx, conn, methodJoin, &join, &a); err != nil {
		return nil, nil, err
	}
	if j.Token != nil {
		if err := j.keep(&a); err != nil {
			return nil, nil, err
		}
	}
	return &Joined{Cluster: a.Cluster, Etcd: a.Etcd, External: a.External, Members: a.Members}, nil, nil
}

// keep stores what was given for the token.
func (j *Joiner) keep(a *joinAnswer) error {
	if err := j.Directory.Keep(a.Certificate, a.Authority); err != nil {
		return err
	}
	if len(a.AuthorityKey) == 0 {
		return nil
	}
	authority, err := trust.ParseAuthority(a.Authority, a.AuthorityKey)
	if err != nil {
		return err
	}
	return j.Directory.KeepAuthority(authority)
}

// Certify gets the certificate that names this node from one of the members
// and keeps it in the directory. keyring has the one from Join.
func Certify(ctx context.Context, cfg rpc.Config, members []string, keyring *trust.Keyring, d *trust.Directory, node, incarnation uint64, log *slog.Logger) error {
	key, err := d.Key()
	if err != nil {
		return err
	}
	request, err := trust.Request(key)
	if err != nil {
		return err
	}
	pool, err := rpc.NewPool(cfg, rpc.Identity{}, keyring.TLS(), log, nil)
	if err != nil {
		return err
	}
	defer pool.Close()
	var errs []error
	for _, address := range members {
		var a certifyAnswer
		ctx, cancel := context.WithTimeout(ctx, tryFor)
		err := call(ctx, pool.Conn(address), methodCertify, &certifyRequest{Node: node, Incarnation: incarnation, Request: request}, &a)
		cancel()
		if err == nil {
			return d.KeepCertificate(a.Certificate)
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("get a certificate for node %d: %w", node, errors.Join(errs...))
}

func call(ctx context.Context, conn *rpc.Conn, method string, request, answer any) error {
	b, err := conn.Call(ctx, method, encode(request))
	if err != nil {
		return err
	}
	return decode(b, answer)
}
