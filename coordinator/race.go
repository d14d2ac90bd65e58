package coordinator

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/query/exec"
)

// call asks one owner of a shard. What it passes on before it returns, it
// passes on within give, which refuses when another owner has been faster.
type call[T any] func(ctx context.Context, p data.Peer, give func(func() error) error) (T, error)

// errLost ends a call whose place another has taken.
var errLost = errors.New("another owner was faster")

// gate lets one of several calls through.
type gate struct {
	mu     sync.Mutex // held while something is passed on
	winner int        // the number of the call that is through, -1 while none is
	shut   bool
	passed bool // something was passed on
	first  func(winner int)
}

// through runs f if call i is the first or the only one through.
func (g *gate) through(i int, f func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut || g.winner >= 0 && g.winner != i {
		return errLost
	}
	if g.winner < 0 {
		g.winner = i
		g.first(i)
	}
	if f == nil {
		return nil
	}
	g.passed = true
	return f()
}

// close lets nothing more through. What is being passed on has been then.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}

// failure is why one owner has not answered.
type failure struct {
	node uint64
	err  error
}

// outcome is how a call ended.
type outcome[T any] struct {
	i      int
	answer T
	err    error
}

const (
	// hedgeUnknown is after how long a second owner is asked when it is not
	// known what is usual.
	hedgeUnknown = time.Second
	// hedgesAtOnce bounds the second calls that run, and hedgeShare says that
	// at most one in so many calls is a second one: hedges must not double the
	// load of a cluster that is slow because it is loaded.
	hedgesAtOnce = 16
	hedgeShare   = 20
	hedgeBurst   = 10
)

// race asks the owners in turn until one has answered. The next is asked when
// one fails, and also when one is slower than usual: then the first to answer
// counts, and the other is cancelled. done is set when there is an answer, or
// an error that no other owner can better; else failed says why there is none.
func race[T any](ctx context.Context, r *Reader, owners []candidate, scan bool, f call[T]) (answer T, failed []failure, done bool, err error) {
	if len(owners) == 1 {
		g := &gate{winner: -1, first: func(int) {}}
		start := time.Now()
		answer, err = guarded(ctx, owners[0].peer, f, func(pass func() error) error { return g.through(0, pass) })
		if err == nil {
			r.latencies.add(latencyOf{owners[0].node, scan}, time.Since(start))
		}
		if err == nil || ctx.Err() != nil || isFinal(err) || g.passed {
			return answer, nil, true, err
		}
		return answer, []failure{{owners[0].node, err}}, false, nil
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan outcome[T], len(owners)) // holds all, so no call waits
	cancels := make([]context.CancelFunc, 0, len(owners))
	starts := make([]time.Time, len(owners))
	var mu sync.Mutex // protects cancels: the gate is used by the calls
	g := &gate{winner: -1}
	g.first = func(winner int) {
		r.latencies.add(latencyOf{owners[winner].node, scan}, time.Since(starts[winner]))
		mu.Lock()
		defer mu.Unlock()
		for i, c := range cancels {
			if i != winner {
				c()
			}
		}
	}
	defer g.close()

	next, running, hedges := 0, 0, 0
	defer func() { r.hedging.Add(int64(-hedges)) }()
	ask := func() {
		i := next
		next++
		one, stop := context.WithCancel(ctx)
		mu.Lock()
		cancels = append(cancels, stop)
		mu.Unlock()
		starts[i] = time.Now()
		running++
		r.asked.Add(1)
		started := r.writer.tasks.start(func() {
			defer stop()
			a, err := guarded(one, owners[i].peer, f, func(pass func() error) error { return g.through(i, pass) })
			if err == nil {
				err = g.through(i, nil)
			}
			results <- outcome[T]{i, a, err}
		})
		if !started {
			stop()
			results <- outcome[T]{i: i, err: errClosed}
		}
	}
	ask()
	slow := time.NewTimer(r.patience(latencyOf{owners[0].node, scan}))
	defer slow.Stop()
	for running > 0 {
		select {
		case o := <-results:
			running--
			switch {
			case o.err == nil:
				return o.answer, nil, true, nil
			case ctx.Err() != nil:
				return answer, nil, true, context.Cause(ctx)
			case isFinal(o.err), g.won(o.i):
				return answer, nil, true, o.err
			}
			if !errors.Is(o.err, errLost) {
				failed = append(failed, failure{owners[o.i].node, o.err})
			}
			if running == 0 && next < len(owners) {
				r.metrics.failovers.Inc()
				ask()
				slow.Reset(r.patience(latencyOf{owners[next-1].node, scan}))
			}
		case <-slow.C:
			if next < len(owners) && !g.taken() && r.mayHedge() {
				hedges++
				r.metrics.hedges.Inc()
				ask()
			}
		case <-ctx.Done():
			return answer, nil, true, context.Cause(ctx)
		}
	}
	return answer, failed, false, nil
}

// won reports whether call i has passed something on.
func (g *gate) won(i int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.winner == i
}

// taken reports whether any call is through.
func (g *gate) taken() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.winner >= 0
}

// guarded turns a panic of a call into an *exec.PanicError, like that of a
// stream: in a goroutine of its own it would end the process.
func guarded[T any](ctx context.Context, p data.Peer, f call[T], give func(func() error) error) (answer T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &exec.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f(ctx, p, give)
}

// patience is how long an owner has before another is asked, too.
func (r *Reader) patience(of latencyOf) time.Duration {
	high, known := r.latencies.high(of)
	if !known {
		return max(hedgeUnknown, r.cfg.HedgeLeast)
	}
	return max(high, r.cfg.HedgeLeast)
}

// mayHedge reports whether one more call may be a second one, and counts it.
func (r *Reader) mayHedge() bool {
	if r.hedging.Add(1) > hedgesAtOnce || (r.hedged.Load()-hedgeBurst)*hedgeShare >= r.asked.Load() {
		r.hedging.Add(-1)
		return false
	}
	r.hedged.Add(1)
	return true
}
