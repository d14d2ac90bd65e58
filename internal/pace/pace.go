package pace

import (
	"context"
	"sync"
	"time"
)

// Pace bounds the bytes in a second. What was spent is paid back by waiting, so
// a large piece passes at once and delays the next. It is safe for concurrent
// use; those who use one share what passes.
type Pace struct {
	perSecond int64

	mu   sync.Mutex
	free time.Time // when all that was spent is paid back
}

// New gives a Pace of as many bytes a second; 0 is no bound.
func New(perSecond int64) *Pace { return &Pace{perSecond: perSecond} }

// Spend waits until bytes may pass.
func (p *Pace) Spend(ctx context.Context, bytes int64) error {
	if p.perSecond <= 0 {
		return ctx.Err()
	}
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
	return Sleep(ctx, wait)
}
