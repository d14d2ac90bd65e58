package auth

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/varvedb/varve/meta"
)

const (
	// maxWaiting is how many passwords wait to be compared with their hashes. One is
	// at a time, so that no flood of wrong ones takes more than one processor, and
	// the last waits for two seconds or so.
	maxWaiting = 32
	// waitAgain is when to come back after more than that.
	waitAgain = time.Second
)

// passwords finds out whose password is right. Its methods may be called at the same
// time.
type passwords struct {
	store    *meta.Store
	refresh  *refresher
	metrics  *metrics
	verified *verified
	guesses  *guesses
	turn     chan struct{} // held while a password is compared with a hash

	mu       sync.Mutex
	attempts map[mark]*attempt // that go on
}

// attempt is the way to an answer, which those who ask the same share: a fleet of
// collectors that comes back after a restart has one password.
type attempt struct {
	done chan struct{} // closed when there is an answer
	user *meta.User
	err  error
	own  bool // err is of who made the attempt, and says nothing to others
}

func newPasswords(store *meta.Store, refresh *refresher, m *metrics) *passwords {
	return &passwords{
		store: store, refresh: refresh, metrics: m, verified: newVerified(), guesses: newGuesses(),
		turn: make(chan struct{}, 1), attempts: make(map[mark]*attempt),
	}
}

// user gives the user of a name if the password is his. One that was found to be his
// passes at once, whatever else goes on.
func (p *passwords) user(ctx context.Context, name, password string, from netip.Addr) (*meta.User, error) {
	m := p.verified.mark(name, password)
	for {
		if u := p.store.Snapshot().User(name); u != nil && p.verified.has(u, m) {
			return u, nil
		}
		a, mine := p.attempt(m)
		if a == nil {
			return nil, &WaitError{After: waitAgain}
		}
		if mine {
			a.user, a.own, a.err = p.try(ctx, name, password, m, from)
			p.end(m, a)
			return a.user, a.err
		}
		select {
		case <-a.done:
			if !a.own {
				return a.user, a.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// attempt gives the attempt at a mark, and whether it is new and the caller's to
// make; nil when there are too many.
func (p *passwords) attempt(m mark) (a *attempt, mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.attempts[m]; a != nil {
		return a, false
	}
	if len(p.attempts) >= maxWaiting {
		return nil, false
	}
	a = &attempt{done: make(chan struct{})}
	p.attempts[m] = a
	return a, true
}

func (p *passwords) end(m mark, a *attempt) {
	p.mu.Lock()
	delete(p.attempts, m)
	p.mu.Unlock()
	close(a.done)
}

// try compares a password with the hash of a user, and looks for news of him before
// it says no. The guess counts as wrong unless it was right: who goes away before the
// answer has made it, too.
func (p *passwords) try(ctx context.Context, name, password string, m mark, from netip.Addr) (found *meta.User, own bool, err error) {
	if err := p.guesses.take(name, from, time.Now()); err != nil {
		return nil, true, err
	}
	u := p.store.Snapshot().User(name)
	same, err := p.compare(ctx, u, password)
	if err == nil && !same {
		if err = p.refresh.wait(ctx); err == nil {
			now := p.store.Snapshot().User(name)
			if now == nil || u != nil && now.SamePassword(u) {
				return nil, false, errWrong
			}
			u = now
			same, err = p.compare(ctx, u, password)
		}
	}
	switch {
	case err != nil:
		return nil, ctx.Err() != nil, err
	case !same:
		return nil, false, errWrong
	}
	p.guesses.giveBack(name, from)
	p.verified.add(u, m, p.store.Snapshot())
	return u, false, nil
}

// compare reports whether a password is that of u, who may be nil.
func (p *passwords) compare(ctx context.Context, u *meta.User, password string) (bool, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	p.metrics.comparisons.Inc()
	return p.store.IsPassword(ctx, u, password)
}
