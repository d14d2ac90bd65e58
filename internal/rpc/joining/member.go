package joining

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/rpc/trust"
	"github.com/varvedb/varve/model"
)

// Cluster is what a Member asks of the metadata.
type Cluster interface {
	// ID gives the id of the cluster.
	ID() string
	// Etcd gives the addresses of etcd for clients, and whether it is run by
	// others than the nodes.
	Etcd() (addresses []string, external bool)
	// Members gives the rpc addresses of the nodes.
	Members() []string
	// Signers gives those of the nodes that should have the authority's key.
	Signers() []string
	// Token gives a token by its id, or model.ErrNotFound.
	Token(ctx context.Context, id string) (*trust.Token, error)
	// Incarnation gives that of a node, as registered. It may wait for a
	// linearizable read where it does not know the node.
	Incarnation(ctx context.Context, node uint64) (uint64, error)
}

// Member lets nodes into its cluster.
type Member struct {
	cluster   Cluster
	keyring   *trust.Keyring   // nil: without TLS
	authority *trust.Authority // nil: certificates come from elsewhere
	log       *slog.Logger

	mu     sync.Mutex
	nonces map[trust.Nonce]time.Time // given and not used yet
	said   time.Time                 // when a refusal was last logged
}

const (
	// nonceLife is how long a joiner may take from greeting to joining.
	nonceLife = time.Minute
	maxNonces = 1024
	// sayAgain is how long the next refusal is not logged.
	sayAgain = time.Second
)

// NewMember gives what lets nodes in. keyring is nil without TLS; authority is
// nil where this node does not sign certificates.
func NewMember(cluster Cluster, keyring *trust.Keyring, authority *trust.Authority, log *slog.Logger) *Member {
	return &Member{cluster: cluster, keyring: keyring, authority: authority, log: log, nonces: make(map[trust.Nonce]time.Time)}
}

// Register adds the methods to a server.
func (m *Member) Register(s *rpc.Server) {
	s.Open(methodGreet, func(ctx context.Context, from rpc.Caller, req []byte) ([]byte, error) {
		var r greetRequest
		if err := decode(req, &r); err != nil {
			return nil, err
		}
		a, err := m.greet(ctx, from, &r)
		return m.answer(from, a, err)
	})
	s.Open(methodJoin, func(ctx context.Context, from rpc.Caller, req []byte) ([]byte, error) {
		var r joinRequest
		if err := decode(req, &r); err != nil {
			return nil, err
		}
		a, err := m.join(ctx, from, &r)
		return m.answer(from, a, err)
	})
	s.Open(methodCertify, func(ctx context.Context, from rpc.Caller, req []byte) ([]byte, error) {
		var r certifyRequest
		if err := decode(req, &r); err != nil {
			return nil, err
		}
		a, err := m.certify(ctx, from, &r)
		return m.answer(from, a, err)
	})
}

// answer logs a refusal, since an operator looks at either side.
func (m *Member) answer(from rpc.Caller, a any, err error) ([]byte, error) {
	if err == nil {
		return encode(a), nil
	}
	m.mu.Lock()
	say := time.Since(m.said) >= sayAgain
	if say {
		m.said = time.Now()
	}
	m.mu.Unlock()
	if say {
		m.log.Warn("refused to let a node in", "from", from.Remote, "error", err)
	}
	return nil, err
}

func refused(text string) error { return &model.Error{Kind: model.ErrInvalid, Text: text} }

// token finds the token of a joiner. What is wrong with it is said in words
// that help neither to guess nor to find out which tokens exist.
func (m *Member) token(ctx context.Context, id string) (*trust.Token, error) {
	t, err := m.cluster.Token(ctx, id)
	switch {
	case errors.Is(err, model.ErrNotFound), err == nil && t.Expired(time.Now()):
		return nil, refused("the join token is wrong or has expired")
	case err != nil:
		return nil, err
	}
	return t, nil
}

func (m *Member) greet(ctx context.Context, from rpc.Caller, r *greetRequest) (*greetAnswer, error) {
	a := &greetAnswer{Cluster: m.cluster.ID(), Member: trust.NewNonce()}
	switch {
	case m.keyring == nil || from.Certified:
	case r.Token == "":
		return nil, refused("this cluster lets nodes in by a join token (varve ctl join-token), or by a certificate of its authority")
	default:
		t, err := m.token(ctx, r.Token)
		if err != nil {
			return nil, err
		}
		if m.authority == nil {
			a.Signers = m.cluster.Signers()
		}
		a.Proof = t.Proof(trust.SideMember, m.exchange(r.Joiner, a.Member), []byte(a.Cluster))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, given := range m.nonces {
		if time.Since(given) > nonceLife {
			delete(m.nonces, n)
		}
	}
	if len(m.nonces) >= maxNonces {
		return nil, fmt.Errorf("%w: too many nodes are joining", model.ErrOverloaded)
	}
	m.nonces[a.Member] = time.Now()
	return a, nil
}

// exchange gives what the proofs of a join are over.
func (m *Member) exchange(joiner, member trust.Nonce) trust.Exchange {
	x := trust.Exchange{Joiner: joiner, Member: member}
	if m.keyring != nil {
		x.Server = m.keyring.Leaf()
	}
	return x
}

// use reports whether a nonce was given lately, and takes it.
func (m *Member) use(n trust.Nonce) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	given, ok := m.nonces[n]
	delete(m.nonces, n)
	return ok && time.Since(given) <= nonceLife
}

func (m *Member) join(ctx context.Context, from rpc.Caller, r *joinRequest) (*joinAnswer, error) {
	if !m.use(r.Member) {
		return nil, refused("the greeting of this join is too long ago; join again")
	}
	var says joinSays
	if err := decode(r.Says, &says); err != nil {
		return nil, err
	}
	a := &joinAnswer{Cluster: m.cluster.ID(), Members: m.cluster.Members()}
	a.Etcd, a.External = m.cluster.Etcd()
	if m.keyring == nil || from.Certified {
		m.log.Info("let a node in", "name", says.Name, "from", from.Remote)
		return a, nil
	}
	t, err := m.token(ctx, r.Token)
	if err != nil {
		return nil, err
	}
	if !t.Proves(r.Proof, trust.SideJoiner, m.exchange(r.Joiner, r.Member), r.Says) {
		return nil, refused("the join token is wrong or has expired")
	}
	if m.authority == nil {
		return nil, fmt.Errorf("this node does not sign certificates: %w", model.ErrNotSupported)
	}
	if a.Certificate, err = m.authority.Sign(says.Request, rpc.Identity{Cluster: a.Cluster}); err != nil {
		return nil, err
	}
	a.Authority = m.authority.Certificate()
	if says.Meta {
		if a.AuthorityKey, err = m.authority.Key(); err != nil {
			return nil, err
		}
	}
	m.log.Info("let a node in", "name", says.Name, "from", from.Remote, "token", r.Token)
	return a, nil
}

func (m *Member) certify(ctx context.Context, from rpc.Caller, r *certifyRequest) (*certifyAnswer, error) {
	switch {
	case !from.Certified:
		return nil, refused("a certificate is given only to one that has one; join first")
	case m.authority == nil:
		return nil, fmt.Errorf("this node does not sign certificates: %w", model.ErrNotSupported)
	}
	incarnation, err := m.cluster.Incarnation(ctx, r.Node)
	if err != nil {
		return nil, err
	}
	if incarnation != r.Incarnation {
		return nil, refused(fmt.Sprintf("node %d is another data directory", r.Node))
	}
	cert, err := m.authority.Sign(r.Request, rpc.Identity{Cluster: m.cluster.ID(), Node: r.Node})
	if err != nil {
		return nil, err
	}
	return &certifyAnswer{Certificate: cert}, nil
}
