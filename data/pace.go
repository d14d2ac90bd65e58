package data

import (
	"context"
	"sync"
	"time"
)

// pace bounds the bytes in a second. What was spent is paid back by waiting, so
// a large piece passes at once and delays the next.
type pace struct {
	perSecond int64

	mu   sync.Mutex
	free time.Time // when all that was spent is paid back
}

// spend waits until bytes may pass.
func (p *pace) spend(ctx context.Context, bytes int64) error {
	p.mu.Lock()
	now := time.Now()
	if p.free.Before(now) {
		p.free = now
	}
	wait := p.free.Sub(now)
	p.free = p.free.Add(time.Duration(float64(bytes) / float64(p.perSecond) * float64(time.Second)))
	p.mu.Unlock()
	if wait == 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}
