package auth

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/varvedb/varve/model"
)

// What may be guessed wrong before answers are refused, and how soon one more guess
// is allowed. Whoever knows his password has it right in one of ten; whoever does
// not has 3,000 guesses a day.
var (
	perUser    = allowance{wrong: 10, every: 30 * time.Second} // of one name from one address
	perAddress = allowance{wrong: 100, every: time.Second}     // of any name from one address
)

// maxGuessers bounds the names and addresses that are kept. Beyond, some are
// forgotten: they may guess from the beginning, at the pace of hashing.
const maxGuessers = 20_000

// allowance is how often somebody may be wrong.
type allowance struct {
	wrong int
	every time.Duration // until one more is allowed
}

// guesser is a name from an address; "" is all names together.
type guesser struct {
	address netip.Addr
	name    string
}

// guesses counts what was wrong. Its methods may be called at the same time.
type guesses struct {
	mu sync.Mutex
	// free says for each who was wrong when all of it will be forgotten: a wrong
	// guess moves that by allowance.every.
	free map[guesser]time.Time
}

func newGuesses() *guesses { return &guesses{free: make(map[guesser]time.Time)} }

// take counts one guess as wrong, until it is given back. Where none is left it
// gives an error of kind model.ErrOverloaded: trouble that passes, which a collector
// that was set up wrongly survives.
func (g *guesses) take(name string, address netip.Addr, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	one, all := guesser{address, name}, guesser{address: address}
	if wait := max(perUser.wait(g.free[one], now), perAddress.wait(g.free[all], now)); wait > 0 {
		return &WaitError{After: wait}
	}
	if len(g.free)+2 > maxGuessers {
		g.forgetLocked(now)
	}
	g.free[one] = later(g.free[one], now).Add(perUser.every)
	g.free[all] = later(g.free[all], now).Add(perAddress.every)
	return nil
}

// giveBack uncounts a guess that was right. One of which that cannot be said while
// etcd is away stays: a 503 tells who guesses as much as a 401.
func (g *guesses) giveBack(name string, address netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for who, a := range map[guesser]allowance{{address, name}: perUser, {address: address}: perAddress} {
		if free, ok := g.free[who]; ok {
			g.free[who] = free.Add(-a.every)
		}
	}
}

// wait gives how long to wait for one more guess; 0 is not at all.
func (a allowance) wait(free, now time.Time) time.Duration {
	return max(0, later(free, now).Sub(now)-time.Duration(a.wrong-1)*a.every)
}

// forgetLocked makes room: for those of whom nothing is left to be forgotten, and if
// they are few for some of the others, as the map gives them.
func (g *guesses) forgetLocked(now time.Time) {
	for who, free := range g.free {
		if !free.After(now) {
			delete(g.free, who)
		}
	}
	for who := range g.free {
		if len(g.free) <= maxGuessers*3/4 {
			return
		}
		delete(g.free, who)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// WaitError refuses a request whose password may be right, since too many were
// wrong, or too many are being looked at.
type WaitError struct{ After time.Duration }

func (e *WaitError) Error() string {
	return fmt.Sprintf("too many authentication attempts, retry in %v", e.After.Round(time.Second))
}

// RetryAfter says when to ask again.
func (e *WaitError) RetryAfter() time.Duration { return e.After }

// Unwrap gives the kind.
func (e *WaitError) Unwrap() error { return model.ErrOverloaded }
