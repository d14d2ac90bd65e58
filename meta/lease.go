package meta

import (
	"context"
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// Lease is the right of one node to do a certain work, until it is released or
// not renewed in time. A holder that paused may not know that it lost the
// right, so each act carries the lease's Fence.
type Lease struct {
	store *Store
	id    int64
	fence Fence
}

// Fence makes a change fail unless a lease is still held. The zero Fence
// guards nothing.
type Fence struct {
	key     string
	created int64
}

// ErrDeposed is the error of an act whose lease another node may have.
var ErrDeposed = fmt.Errorf("the lease is lost: %w", model.ErrConflict)

// Acquire takes a lease by name; model.ErrConflict says that it is taken.
func (s *Store) Acquire(ctx context.Context, name string, ttl time.Duration) (*Lease, error) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	key := s.keys.lease(name)
	item, taken, err := s.kv.Get(ctx, key)
	if err != nil {
		return nil, s.unavailable(ctx, "read lease", err)
	}
	if taken {
		return nil, conflict(fmt.Sprintf("lease %s is held: %s", name, item.Value))
	}
	id, err := s.kv.Grant(ctx, ttl)
	if err != nil {
		return nil, s.unavailable(ctx, "grant lease", err)
	}
	value := encode(leaseRecord{Format: recordFormat, Holder: s.identity.ID})
	ok, revision, err := s.kv.Txn(ctx, []Condition{{Key: key}}, []Op{{Key: key, Value: value, Lease: id}})
	if err != nil {
		return nil, s.unavailable(ctx, "take lease", err) // it ends by itself
	}
	l := &Lease{store: s, id: id, fence: Fence{key: key, created: revision}}
	if !ok {
		if err := l.Release(ctx); err != nil {
			s.log.Warn("cannot revoke a lease that was not used", "error", err)
		}
		return nil, conflict(fmt.Sprintf("lease %s is held", name))
	}
	return l, nil
}

// Holder gives the node that has a lease; 0 is none.
func (s *Store) Holder(ctx context.Context, name string) (uint64, error) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	item, taken, err := s.kv.Get(ctx, s.keys.lease(name))
	if err != nil {
		return 0, s.unavailable(ctx, "read lease", err)
	}
	if !taken {
		return 0, nil
	}
	r, err := decode(item.Value, func(r *leaseRecord) int { return r.Format })
	if err != nil {
		return 0, err
	}
	return r.Holder, nil
}

// Renew gives the lease its full time again.
func (l *Lease) Renew(ctx context.Context) error {
	ctx, cancel := l.store.deadline(ctx)
	defer cancel()
	if err := l.store.kv.Renew(ctx, l.id); err != nil {
		return l.store.unavailable(ctx, "renew lease", err)
	}
	return nil
}

// Release ends the lease, so that another can have it at once.
func (l *Lease) Release(ctx context.Context) error {
	ctx, cancel := l.store.deadline(ctx)
	defer cancel()
	if err := l.store.kv.Revoke(ctx, l.id); err != nil {
		return l.store.unavailable(ctx, "revoke lease", err)
	}
	return nil
}

// Fence gives what guards the acts under this lease.
func (l *Lease) Fence() Fence { return l.fence }

// holds gives the conditions of an act.
func (f Fence) holds() []Condition {
	if f.key == "" {
		return nil
	}
	return []Condition{{Key: f.key, Created: true, Revision: f.created}}
}

// fenced commits a change under a fence. When it loses, it tells losing the
// lease, which is final, from losing against another change.
func (s *Store) fenced(ctx context.Context, doing string, fence Fence, when []Condition, ops []Op) (bool, error) {
	done, err := s.commit(ctx, doing, append(fence.holds(), when...), ops)
	if done || err != nil || fence.key == "" {
		return done, err
	}
	item, ok, err := s.kv.Get(ctx, fence.key)
	switch {
	case err != nil:
		return false, s.unavailable(ctx, "read lease", err)
	case !ok || item.Created != fence.created:
		return false, ErrDeposed
	}
	return false, nil
}
