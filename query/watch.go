package query

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/model"
)

// watch looks after one request while it runs: it ends the request when it has
// handed out nothing for too long, lets another one run while its client is slow
// to take what it is given, and has it logged when it is slow.
type watch struct {
	executor *Executor
	task     *task
	// since is when the request began to run or last handed something out, and
	// giving whether it is doing so now.
	since  atomic.Int64 // nanoseconds since task.start
	giving atomic.Bool

	mu     sync.Mutex // protects all below
	slot   *slot      // nil while the request waits for one
	timer  *time.Timer
	over   bool
	logged bool
}

const (
	// watchEvery is how often a request is looked at.
	watchEvery = time.Second
	// slowClient is how long a client may take for a piece of its answer before
	// another request runs in its place.
	slowClient = time.Second
)

// errTimeout has InfluxDB's text.
var errTimeout = &model.Error{Kind: model.ErrInterrupted, Text: "query-timeout limit exceeded"}

func (e *Executor) watch(t *task) *watch {
	w := &watch{executor: e, task: t}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(w.next(), w.look)
	return w
}

// next gives when to look again.
func (w *watch) next() time.Duration {
	d := watchEvery
	for _, limit := range []time.Duration{w.executor.cfg.Timeout, w.executor.cfg.LogAfter} {
		if limit > 0 {
			d = min(d, limit)
		}
	}
	return d
}

// moved says that the request gets on, though it hands out nothing.
func (w *watch) moved() { w.since.Store(int64(time.Since(w.task.start))) }

// give hands something out; how long that takes is the client's time.
func (w *watch) give(f func() error) error {
	w.moved()
	w.giving.Store(true)
	err := f()
	w.moved()
	w.giving.Store(false)
	return err
}

// admitted keeps the request's slot.
func (w *watch) admitted(s *slot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slot = s
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	age := time.Since(w.task.start)
	quiet := age - time.Duration(w.since.Load())
	cfg := &w.executor.cfg
	switch {
	case w.giving.Load():
		if quiet >= slowClient {
			w.slot.stepAside()
		}
	case cfg.Timeout > 0 && quiet >= cfg.Timeout:
		w.executor.metrics.timeouts.Inc()
		w.task.end(errTimeout)
		return
	}
	if cfg.LogAfter > 0 && age >= cfg.LogAfter && !w.logged {
		w.logged = true
		w.executor.lines.Log(slog.LevelWarn, "slow query", append(w.task.facts(), "threshold", fmt.Sprint(cfg.LogAfter))...)
	}
	w.timer.Reset(w.next())
}

// stop ends the watch and gives back the slot.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
	w.slot.leave()
}
