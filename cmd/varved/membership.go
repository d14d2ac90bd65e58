package main

import (
	"context"
	"fmt"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/rpc/joining"
	"github.com/varvedb/varve/internal/rpc/trust"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// membership is what the metadata knows of the members, for those who join and
// for those who look for a node.
type membership struct {
	store    *meta.Store
	pool     *rpc.Pool // nil: this node speaks with no other
	security *security
	token    *trust.Token // from the configuration, or nil
	etcd     func() (addresses []string, external bool)
}

var (
	_ joining.Cluster = (*membership)(nil)
	_ data.Directory  = (*membership)(nil)
)

// ID implements joining.Cluster.
func (m *membership) ID() string { return m.store.Snapshot().ClusterID() }

// Etcd implements joining.Cluster.
func (m *membership) Etcd() (addresses []string, external bool) { return m.etcd() }

// Members implements joining.Cluster.
func (m *membership) Members() []string {
	return m.addresses(func(*meta.Node) bool { return true })
}

// Signers implements joining.Cluster.
func (m *membership) Signers() []string {
	return m.addresses(func(n *meta.Node) bool { return n.ID != m.store.Self() && n.Has(meta.RoleMeta) })
}

func (m *membership) addresses(which func(*meta.Node) bool) (out []string) {
	for _, n := range m.store.Snapshot().Nodes() {
		if n.Addresses.RPC != "" && which(n) {
			out = append(out, n.Addresses.RPC)
		}
	}
	return out
}

// tokenSecret is where the metadata has a token.
func tokenSecret(id string) string { return "join-token." + id }

// Token implements joining.Cluster.
func (m *membership) Token(ctx context.Context, id string) (*trust.Token, error) {
	if m.token != nil && m.token.ID() == id {
		return m.token, nil
	}
	secret, err := m.store.Secret(ctx, tokenSecret(id))
	if err != nil {
		return nil, err
	}
	return trust.ParseToken(string(secret.Value))
}

// maxTokenLife bounds what an operator may ask for.
const maxTokenLife = 365 * 24 * time.Hour

// NewToken makes a token that lets nodes in until life is over.
func (m *membership) NewToken(ctx context.Context, life time.Duration) (string, error) {
	switch {
	case m.security.keyring == nil:
		return "", &model.Error{Kind: model.ErrNotSupported, Text: "this cluster is on loopback, where nodes join without a token"}
	case m.security.directory == nil:
		return "", &model.Error{Kind: model.ErrNotSupported, Text: "this cluster has certificates of its own (tls-certificate): whoever has one may join"}
	case life < time.Second || life > maxTokenLife:
		return "", &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("a token lasts between 1s and %v, not %v", maxTokenLife, life)}
	}
	fingerprint, err := m.security.directory.Fingerprint()
	if err != nil {
		return "", err
	}
	t := trust.NewToken(fingerprint, life)
	if err := m.store.PutSecret(ctx, tokenSecret(t.ID()), []byte(t.String()), life); err != nil {
		return "", err
	}
	return t.String(), nil
}

// Incarnation implements joining.Cluster.
func (m *membership) Incarnation(ctx context.Context, node uint64) (uint64, error) {
	n := m.store.Snapshot().Node(node)
	if n == nil {
		if err := m.store.Refresh(ctx); err != nil {
			return 0, err
		}
		n = m.store.Snapshot().Node(node)
	}
	if n == nil {
		return 0, &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("there is no node %d", node)}
	}
	return n.Incarnation, nil
}

// conn gives the way to another node, or nil when there is none now.
func (m *membership) conn(node uint64) *rpc.Conn {
	if m.pool == nil || node == m.store.Self() {
		return nil
	}
	n := m.store.Snapshot().Node(node)
	if n == nil || n.Addresses.RPC == "" {
		return nil
	}
	if c := m.pool.Node(node, n.Addresses.RPC); c.Healthy() {
		return c
	}
	return nil
}

// Owner implements data.Directory.
func (m *membership) Owner(node uint64) data.Owner {
	if c := m.conn(node); c != nil {
		return data.NewClient(c)
	}
	return nil
}

// Conn gives the way to another node for package admin.
func (m *membership) Conn(node uint64) data.Conn {
	if c := m.conn(node); c != nil {
		return c
	}
	return nil
}
