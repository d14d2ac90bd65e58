package metatest

import (
	"context"
	"sync"
	"time"

	"github.com/varvedb/varve/meta"
)

// View is a Memory as one node reaches it: it can be cut off from it alone.
type View struct {
	memory *Memory
	gate   gate
}

// View gives a way of its own to m.
func (m *Memory) View() *View {
	v := &View{memory: m}
	v.gate.open()
	return v
}

// SetAway is Memory.SetAway for this View only. Leases that are renewed through
// it end.
func (v *View) SetAway(away bool) {
	v.gate.set(away)
	v.memory.mu.Lock()
	defer v.memory.mu.Unlock()
	v.memory.wakeLocked()
}

// Range implements meta.KV.
func (v *View) Range(ctx context.Context, prefix string) ([]meta.Item, int64, error) {
	if err := v.gate.pass(ctx); err != nil {
		return nil, 0, err
	}
	return v.memory.Range(ctx, prefix)
}

// Get implements meta.KV.
func (v *View) Get(ctx context.Context, key string) (meta.Item, bool, error) {
	if err := v.gate.pass(ctx); err != nil {
		return meta.Item{}, false, err
	}
	return v.memory.Get(ctx, key)
}

// Txn implements meta.KV.
func (v *View) Txn(ctx context.Context, when []meta.Condition, ops []meta.Op) (bool, int64, error) {
	if err := v.gate.pass(ctx); err != nil {
		return false, 0, err
	}
	return v.memory.Txn(ctx, when, ops)
}

// Watch implements meta.KV.
func (v *View) Watch(ctx context.Context, prefix string, from int64) <-chan meta.Changes {
	return v.memory.watch(ctx, prefix, from, &v.gate, &v.memory.gate)
}

// Grant implements meta.KV.
func (v *View) Grant(ctx context.Context, ttl time.Duration) (int64, error) {
	if err := v.gate.pass(ctx); err != nil {
		return 0, err
	}
	return v.memory.Grant(ctx, ttl)
}

// Renew implements meta.KV.
func (v *View) Renew(ctx context.Context, lease int64) error {
	if err := v.gate.pass(ctx); err != nil {
		return err
	}
	return v.memory.Renew(ctx, lease)
}

// Revoke implements meta.KV.
func (v *View) Revoke(ctx context.Context, lease int64) error {
	if err := v.gate.pass(ctx); err != nil {
		return err
	}
	return v.memory.Revoke(ctx, lease)
}

// gate is what calls pass while it is open.
type gate struct {
	mu   sync.Mutex
	back chan struct{} // closed while the gate is open
}

func (g *gate) open() { g.set(false) }

func (g *gate) set(away bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.back == nil:
		if g.back = make(chan struct{}); !away {
			close(g.back)
		}
	case away && isClosed(g.back):
		g.back = make(chan struct{})
	case !away && !isClosed(g.back):
		close(g.back)
	}
}

// pass waits until the gate is open.
func (g *gate) pass(ctx context.Context) error {
	for {
		g.mu.Lock()
		back := g.back
		g.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return err
		}
		if isClosed(back) {
			return nil
		}
		select {
		case <-back:
		case <-ctx.Done():
		}
	}
}

func (g *gate) closed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !isClosed(g.back)
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
