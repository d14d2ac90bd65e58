package metatest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// Memory is a meta.KV in memory. It keeps its whole history, so it is for
// tests. Time is that of package time: in a synctest bubble leases end by the
// bubble's clock.
type Memory struct {
	gate
	mu struct {
		sync.Mutex
		revision int64
		items    map[string]item
		history  []revision
		leases   map[int64]*lease
		lastID   int64
		changed  chan struct{} // closed and replaced when anything changes
	}
}

type item struct {
	meta.Item
	lease int64
}

type revision struct {
	number  int64
	changes []meta.Change
}

type lease struct {
	ttl   time.Duration
	timer *time.Timer
}

// NewMemory gives an empty store. Its first revision is 1, as etcd's is.
func NewMemory() *Memory {
	m := &Memory{}
	m.mu.revision = 1
	m.mu.items = map[string]item{}
	m.mu.leases = map[int64]*lease{}
	m.mu.changed = make(chan struct{})
	m.gate.open()
	return m
}

// SetAway makes every call wait in vain for its context, and breaks all
// watches, until it is called with false. No lease ends meanwhile, and all have
// their full time again after that.
func (m *Memory) SetAway(away bool) {
	m.gate.set(away)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.mu.leases {
		if away {
			l.timer.Stop()
		} else {
			l.timer.Reset(l.ttl)
		}
	}
	m.wakeLocked()
}

func (m *Memory) wakeLocked() {
	close(m.mu.changed)
	m.mu.changed = make(chan struct{})
}

// lock locks m once it is there.
func (m *Memory) lock(ctx context.Context) error {
	if err := m.gate.pass(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	return nil
}

// Range implements meta.KV.
func (m *Memory) Range(ctx context.Context, prefix string) ([]meta.Item, int64, error) {
	if err := m.lock(ctx); err != nil {
		return nil, 0, err
	}
	defer m.mu.Unlock()
	var out []meta.Item
	for _, key := range m.keysLocked(prefix) {
		out = append(out, clone(m.mu.items[key].Item))
	}
	return out, m.mu.revision, nil
}

func (m *Memory) keysLocked(prefix string) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for key := range maps.Keys(m.mu.items) {
			if strings.HasPrefix(key, prefix) && !yield(key) {
				return
			}
		}
	})
}

// Get implements meta.KV.
func (m *Memory) Get(ctx context.Context, key string) (meta.Item, bool, error) {
	if err := m.lock(ctx); err != nil {
		return meta.Item{}, false, err
	}
	defer m.mu.Unlock()
	it, ok := m.mu.items[key]
	return clone(it.Item), ok, nil
}

var (
	errTooMany   = errors.New("too many operations in one transaction")
	errDuplicate = errors.New("a key is in two operations of one transaction")
	errNoLease   = fmt.Errorf("requested lease: %w", model.ErrNotFound)
	errAway      = errors.New("the store went away")
)

// Txn implements meta.KV.
func (m *Memory) Txn(ctx context.Context, when []meta.Condition, ops []meta.Op) (bool, int64, error) {
	if err := m.lock(ctx); err != nil {
		return false, 0, err
	}
	defer m.mu.Unlock()
	if err := m.checkLocked(when, ops); err != nil {
		return false, 0, err
	}
	for _, c := range when {
		it := m.mu.items[c.Key]
		have := it.Modified
		if c.Created {
			have = it.Created
		}
		if have != c.Revision {
			return false, m.mu.revision, nil
		}
	}
	m.applyLocked(ops)
	return true, m.mu.revision, nil
}

func (m *Memory) checkLocked(when []meta.Condition, ops []meta.Op) error {
	if len(when) > meta.MaxOps || len(ops) > meta.MaxOps {
		return errTooMany
	}
	var puts []string
	for _, op := range ops {
		if op.Lease != 0 && m.mu.leases[op.Lease] == nil {
			return errNoLease
		}
		if !op.Delete {
			puts = append(puts, op.Key)
		}
	}
	slices.Sort(puts)
	if len(slices.Compact(slices.Clone(puts))) < len(puts) {
		return errDuplicate
	}
	return nil
}

// applyLocked makes changes at the next revision, if there are any.
func (m *Memory) applyLocked(ops []meta.Op) {
	next := m.mu.revision + 1
	var changes []meta.Change
	for _, op := range ops {
		switch {
		case !op.Delete:
			it := item{Item: meta.Item{Key: op.Key, Value: slices.Clone(op.Value), Created: next, Modified: next}, lease: op.Lease}
			if old, ok := m.mu.items[op.Key]; ok {
				it.Created = old.Created
			}
			m.mu.items[op.Key] = it
			changes = append(changes, meta.Change{Item: it.Item})
		case op.Prefix:
			for _, key := range m.keysLocked(op.Key) {
				delete(m.mu.items, key)
				changes = append(changes, removal(key, next))
			}
		default:
			if _, ok := m.mu.items[op.Key]; ok {
				delete(m.mu.items, op.Key)
				changes = append(changes, removal(op.Key, next))
			}
		}
	}
	if len(changes) == 0 {
		return
	}
	m.mu.revision = next
	m.mu.history = append(m.mu.history, revision{next, changes})
	m.wakeLocked()
}

func removal(key string, at int64) meta.Change {
	return meta.Change{Item: meta.Item{Key: key, Modified: at}, Removed: true}
}

// Watch implements meta.KV.
func (m *Memory) Watch(ctx context.Context, prefix string, from int64) <-chan meta.Changes {
	return m.watch(ctx, prefix, from, &m.gate)
}

// watch sends changes until ctx ends or one of the gates closes.
func (m *Memory) watch(ctx context.Context, prefix string, from int64, gates ...*gate) <-chan meta.Changes {
	out := make(chan meta.Changes)
	closed := func() bool { return slices.ContainsFunc(gates, (*gate).closed) }
	go func() {
		defer close(out)
		for {
			var next meta.Changes
			changed := m.changed()
			if closed() {
				next.Err = errAway
			} else {
				next = m.since(prefix, from)
			}
			if next.Err != nil || next.Revision >= from {
				from = next.Revision + 1
				select {
				case out <- next:
				case <-ctx.Done():
					return
				}
			}
			if next.Err != nil {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// changed gives a channel that is closed at the next change.
func (m *Memory) changed() chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.changed
}

// since gives what has happened from a revision on.
func (m *Memory) since(prefix string, from int64) meta.Changes {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearchFunc(m.mu.history, from, func(r revision, from int64) int { return cmp.Compare(r.number, from) })
	out := meta.Changes{Revision: m.mu.revision}
	for _, r := range m.mu.history[i:] {
		for _, c := range r.changes {
			if strings.HasPrefix(c.Key, prefix) {
				c.Item = clone(c.Item)
				out.Changes = append(out.Changes, c)
			}
		}
	}
	return out
}

// Grant implements meta.KV. As with etcd no lease is shorter than a second: one
// of a nanosecond may be over before a key is put with it.
func (m *Memory) Grant(ctx context.Context, ttl time.Duration) (int64, error) {
	ttl = max(ttl, time.Second)
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	m.mu.lastID++
	id := m.mu.lastID
	m.mu.leases[id] = &lease{ttl: ttl, timer: time.AfterFunc(ttl, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.endLocked(id)
	})}
	return id, nil
}

// Renew implements meta.KV.
func (m *Memory) Renew(ctx context.Context, id int64) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	l := m.mu.leases[id]
	if l == nil || !l.timer.Reset(l.ttl) {
		return errNoLease
	}
	return nil
}

// Revoke implements meta.KV.
func (m *Memory) Revoke(ctx context.Context, id int64) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if m.mu.leases[id] == nil {
		return errNoLease
	}
	m.endLocked(id)
	return nil
}

// endLocked ends a lease and removes the keys that were put with it.
func (m *Memory) endLocked(id int64) {
	l := m.mu.leases[id]
	if l == nil {
		return
	}
	l.timer.Stop()
	delete(m.mu.leases, id)
	var ops []meta.Op
	for _, key := range m.keysLocked("") {
		if m.mu.items[key].lease == id {
			ops = append(ops, meta.Delete(key))
		}
	}
	m.applyLocked(ops)
}

func clone(it meta.Item) meta.Item {
	it.Value = slices.Clone(it.Value)
	return it
}
