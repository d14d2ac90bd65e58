package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// Client is an etcd as meta.KV: members elsewhere, the one in this process, or
// both. Each request goes to one endpoint and then to the next, as long as its
// context lasts, so that one that is dead or stopped costs a part of that time
// only, and is asked last for a while.
type Client struct {
	cfg     ClientConfig
	log     *slog.Logger
	closing *atomic.Bool // silences the log

	mu struct {
		sync.Mutex
		own       *endpoint // the member in this process, or nil
		others    []*endpoint
		first     int // of others: the one that answered last
		closed    bool
		forChange func([]meta.Op) error // refuses what the own member could not keep
	}
}

var _ meta.KV = (*Client)(nil)

// Connect gives a client of an etcd elsewhere. It does not wait for it: calls
// fail while etcd does not answer.
func Connect(cfg ClientConfig, log *slog.Logger) (*Client, error) {
	c := newClient(cfg, log, &atomic.Bool{})
	if _, err := cfg.TLS.client(); err != nil {
		return nil, fmt.Errorf("connect to etcd at %v: %w", cfg.Endpoints, err)
	}
	c.SetEndpoints(cfg.Endpoints)
	return c, nil
}

func newClient(cfg ClientConfig, log *slog.Logger, closing *atomic.Bool) *Client {
	return &Client{cfg: cfg, log: log, closing: closing}
}

// SetEndpoints says where etcd is from now on, beside in this process. Requests
// on their way to one that is not named any more go on at another.
func (c *Client) SetEndpoints(addresses []string) {
	c.mu.Lock()
	if c.mu.closed {
		c.mu.Unlock()
		return
	}
	before := map[string]*endpoint{}
	for _, e := range c.mu.others {
		before[e.address] = e
	}
	if len(before) == len(addresses) && !slices.ContainsFunc(addresses, func(a string) bool { return before[a] == nil }) {
		c.mu.Unlock()
		return
	}
	c.mu.others, c.mu.first = nil, 0
	for _, address := range addresses {
		e := before[address]
		if e == nil {
			e = &endpoint{address: address, dial: func() (*clientv3.Client, error) { return c.dial(address) }}
		}
		delete(before, address)
		c.mu.others = append(c.mu.others, e)
	}
	c.mu.Unlock()
	for _, e := range before {
		if err := e.close(); err != nil {
			c.log.Debug("cannot close a connection to etcd", "endpoint", e.address, "error", err)
		}
	}
}

// Attach makes the member in this process the first endpoint.
func (c *Client) Attach(s *Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.own, c.mu.forChange = s.own, s.checkSpace
}

// Close ends all watches and connections.
func (c *Client) Close() error {
	c.closing.Store(true)
	c.mu.Lock()
	c.mu.closed = true
	all := c.mu.others
	if c.mu.own != nil {
		all = append(all, c.mu.own)
	}
	c.mu.own, c.mu.others = nil, nil
	c.mu.Unlock()
	var first error
	for _, e := range all {
		if err := e.close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Range implements meta.KV.
func (c *Client) Range(ctx context.Context, prefix string) ([]meta.Item, int64, error) {
	r, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.GetResponse, error) {
		return etcd.Get(ctx, prefix, clientv3.WithPrefix())
	})
	if err != nil {
		return nil, 0, err
	}
	items := make([]meta.Item, len(r.Kvs))
	for i, kv := range r.Kvs {
		items[i] = meta.Item{Key: string(kv.Key), Value: kv.Value, Created: kv.CreateRevision, Modified: kv.ModRevision}
	}
	return items, r.Header.Revision, nil
}

// Get implements meta.KV.
func (c *Client) Get(ctx context.Context, key string) (meta.Item, bool, error) {
	r, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.GetResponse, error) {
		return etcd.Get(ctx, key)
	})
	if err != nil || len(r.Kvs) == 0 {
		return meta.Item{}, false, err
	}
	kv := r.Kvs[0]
	return meta.Item{Key: key, Value: kv.Value, Created: kv.CreateRevision, Modified: kv.ModRevision}, true, nil
}

// Txn implements meta.KV. It fails with model.ErrUnavailable when the disk of
// the member in this process is full.
func (c *Client) Txn(ctx context.Context, when []meta.Condition, ops []meta.Op) (bool, int64, error) {
	c.mu.Lock()
	check := c.mu.forChange
	c.mu.Unlock()
	if check != nil {
		if err := check(ops); err != nil {
			return false, 0, err
		}
	}
	conditions, changes := conditionsOf(when), changesOf(ops)
	r, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.TxnResponse, error) {
		return etcd.Txn(ctx).If(conditions...).Then(changes...).Commit()
	})
	if err != nil {
		return false, 0, err
	}
	return r.Succeeded, r.Header.Revision, nil
}

func conditionsOf(when []meta.Condition) []clientv3.Cmp {
	conditions := make([]clientv3.Cmp, len(when))
	for i, w := range when {
		revision := clientv3.ModRevision(w.Key)
		if w.Created {
			revision = clientv3.CreateRevision(w.Key)
		}
		conditions[i] = clientv3.Compare(revision, "=", w.Revision)
	}
	return conditions
}

func changesOf(ops []meta.Op) []clientv3.Op {
	changes := make([]clientv3.Op, len(ops))
	for i, op := range ops {
		var opts []clientv3.OpOption
		switch {
		case op.Delete && op.Prefix:
			opts = append(opts, clientv3.WithPrefix())
			fallthrough
		case op.Delete:
			changes[i] = clientv3.OpDelete(op.Key, opts...)
		default:
			if op.Lease != 0 {
				opts = append(opts, clientv3.WithLease(clientv3.LeaseID(op.Lease)))
			}
			changes[i] = clientv3.OpPut(op.Key, string(op.Value), opts...)
		}
	}
	return changes
}

// Grant implements meta.KV. etcd counts whole seconds.
func (c *Client) Grant(ctx context.Context, ttl time.Duration) (int64, error) {
	r, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.LeaseGrantResponse, error) {
		return etcd.Grant(ctx, max(1, int64(ttl/time.Second)))
	})
	if err != nil {
		return 0, err
	}
	return int64(r.ID), nil
}

// Renew implements meta.KV.
func (c *Client) Renew(ctx context.Context, lease int64) error {
	_, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.LeaseKeepAliveResponse, error) {
		return etcd.KeepAliveOnce(ctx, clientv3.LeaseID(lease))
	})
	return leaseError(err)
}

// Revoke implements meta.KV.
func (c *Client) Revoke(ctx context.Context, lease int64) error {
	_, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.LeaseRevokeResponse, error) {
		return etcd.Revoke(ctx, clientv3.LeaseID(lease))
	})
	return leaseError(err)
}

func leaseError(err error) error {
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return fmt.Errorf("%w: %w", model.ErrNotFound, err)
	}
	return err
}
