package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/varvedb/varve/meta"
)

// Client is an etcd as meta.KV.
type Client struct {
	etcd    *clientv3.Client
	closing *atomic.Bool // silences the log
}

var _ meta.KV = (*Client)(nil)

// dialTimeout bounds one try to reach an endpoint; tries go on in the
// background until Close.
const dialTimeout = 3 * time.Second

// Connect gives a client of an etcd elsewhere. It does not wait for it: calls
// fail while etcd does not answer.
func Connect(endpoints []string, log *slog.Logger) (*Client, error) {
	closing := &atomic.Bool{}
	c, err := clientv3.New(clientv3.Config{
		Endpoints:            endpoints,
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    5 * time.Second,
		DialKeepAliveTimeout: dialTimeout,
		Logger:               newLogger(log, closing),
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %v: %w", endpoints, err)
	}
	return &Client{etcd: c, closing: closing}, nil
}

// Close ends all watches and connections.
func (c *Client) Close() error {
	c.closing.Store(true)
	if err := c.etcd.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Range implements meta.KV.
func (c *Client) Range(ctx context.Context, prefix string) ([]meta.Item, int64, error) {
	r, err := c.etcd.Get(ctx, prefix, clientv3.WithPrefix())
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
	r, err := c.etcd.Get(ctx, key)
	if err != nil || len(r.Kvs) == 0 {
		return meta.Item{}, false, err
	}
	kv := r.Kvs[0]
	return meta.Item{Key: key, Value: kv.Value, Created: kv.CreateRevision, Modified: kv.ModRevision}, true, nil
}

// Txn implements meta.KV.
func (c *Client) Txn(ctx context.Context, when []meta.Condition, ops []meta.Op) (bool, int64, error) {
	conditions := make([]clientv3.Cmp, len(when))
	for i, w := range when {
		revision := clientv3.ModRevision(w.Key)
		if w.Created {
			revision = clientv3.CreateRevision(w.Key)
		}
		conditions[i] = clientv3.Compare(revision, "=", w.Revision)
	}
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
	r, err := c.etcd.Txn(ctx).If(conditions...).Then(changes...).Commit()
	if err != nil {
		return false, 0, err
	}
	return r.Succeeded, r.Header.Revision, nil
}

// Watch implements meta.KV.
func (c *Client) Watch(ctx context.Context, prefix string, from int64) <-chan meta.Changes {
	out := make(chan meta.Changes)
	go func() {
		defer close(out)
		// RequireLeader: a member cut off from the others must not leave the
		// watcher waiting for changes that it will never see.
		in := c.etcd.Watch(clientv3.WithRequireLeader(ctx), prefix, clientv3.WithPrefix(), clientv3.WithRev(from))
		for r := range in {
			next := meta.Changes{Revision: r.Header.Revision, Err: r.Err()}
			for _, e := range r.Events {
				next.Changes = append(next.Changes, change(e))
			}
			if next.Err == nil && len(next.Changes) == 0 {
				continue
			}
			if n := len(next.Changes); n > 0 {
				// The header may be ahead of what a batch of old events holds.
				next.Revision = next.Changes[n-1].Modified
			}
			select {
			case out <- next:
			case <-ctx.Done():
				return
			}
			if next.Err != nil {
				return
			}
		}
		if ctx.Err() == nil {
			select {
			case out <- meta.Changes{Err: errWatchClosed}:
			case <-ctx.Done():
			}
		}
	}()
	return out
}

var errWatchClosed = errors.New("etcd closed the watch")

func change(e *clientv3.Event) meta.Change {
	return meta.Change{
		Item: meta.Item{
			Key: string(e.Kv.Key), Value: e.Kv.Value,
			Created: e.Kv.CreateRevision, Modified: e.Kv.ModRevision,
		},
		Removed: e.Type == clientv3.EventTypeDelete,
	}
}

// Grant implements meta.KV. etcd counts whole seconds.
func (c *Client) Grant(ctx context.Context, ttl time.Duration) (int64, error) {
	r, err := c.etcd.Grant(ctx, max(1, int64(ttl/time.Second)))
	if err != nil {
		return 0, err
	}
	return int64(r.ID), nil
}

// Renew implements meta.KV.
func (c *Client) Renew(ctx context.Context, lease int64) error {
	_, err := c.etcd.KeepAliveOnce(ctx, clientv3.LeaseID(lease))
	return err
}

// Revoke implements meta.KV.
func (c *Client) Revoke(ctx context.Context, lease int64) error {
	_, err := c.etcd.Revoke(ctx, clientv3.LeaseID(lease))
	return err
}
