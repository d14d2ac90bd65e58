package quota

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/memory"
)

const (
	// maxWaiting bounds the requests of one account that wait for others of it to
	// end: a dashboard opens that many panels at once.
	maxWaiting = 64
	// lookEvery is how often a write that waits looks whether the quota was changed.
	lookEvery = time.Second
	// maxAfter bounds the time after which a client is told to come back: the
	// quota may have been raised by then.
	maxAfter = time.Minute
)

// account is what one database or one user has taken.
type account struct {
	key    key
	name   string
	memory *memory.Pool

	mu      sync.Mutex // protects all below
	quota   model.Quota
	points  bucket
	running int64
	waiting []chan struct{} // each closed when its request runs; oldest first
}

func newAccount(id key, name string, q model.Quota) *account {
	a := &account{key: id, name: name, memory: memory.PoolOf(fmt.Sprintf("%s %q", id.kind, name))}
	a.set(q)
	return a
}

// compare has users before databases: who waits for other requests of his own
// takes no place of a database meanwhile.
func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(o.kind, k.kind), cmp.Compare(k.uid, o.uid))
}

// set has the account be held against q from now on.
func (a *account) set(q model.Quota) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.quota == q {
		return
	}
	if a.quota.WritePoints != q.WritePoints {
		a.points = bucket{}
	}
	a.quota = q
	a.memory.SetLimit(q.QueryBytes)
	a.wakeLocked()
}

// waitToWrite gives for how long no points may be written.
func (a *account) waitToWrite(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.points.wait(a.quota.WritePoints, now)
}

func (a *account) wrote(now time.Time, points int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.points.take(a.quota.WritePoints, now, points)
}

func (a *account) mayWrite(now time.Time) error {
	wait := a.waitToWrite(now)
	if wait == 0 {
		return nil
	}
	return &model.Overload{
		Text:  fmt.Sprintf("write limit of %s %q exceeded, try again later", a.key.kind, a.name),
		After: min(wait, maxAfter),
	}
}

// enter waits until one request more may run.
func (a *account) enter(ctx context.Context) error {
	a.mu.Lock()
	if len(a.waiting) == 0 && a.roomLocked() {
		a.running++
		a.mu.Unlock()
		return nil
	}
	if len(a.waiting) >= maxWaiting {
		defer a.mu.Unlock()
		return &model.Overload{
			Text:  fmt.Sprintf("query limit of %s %q exceeded: %d run and %d wait, try again later", a.key.kind, a.name, a.running, len(a.waiting)),
			After: time.Second,
		}
	}
	turn := make(chan struct{})
	a.waiting = append(a.waiting, turn)
	a.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, w := range a.waiting {
		if w == turn {
			a.waiting = append(a.waiting[:i], a.waiting[i+1:]...)
			return context.Cause(ctx)
		}
	}
	a.running-- // its turn came meanwhile
	a.wakeLocked()
	return context.Cause(ctx)
}

func (a *account) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	a.wakeLocked()
}

func (a *account) roomLocked() bool { return a.quota.Queries == 0 || a.running < a.quota.Queries }

// wakeLocked lets those run that may.
func (a *account) wakeLocked() {
	for len(a.waiting) > 0 && a.roomLocked() {
		a.running++
		close(a.waiting[0])
		a.waiting = a.waiting[1:]
	}
}
