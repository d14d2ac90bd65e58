package tsm

import (
	"context"
	"sync"
	"time"
)

// tick is how often a Worker looks at all its shards.
const tick = time.Second

// work is a kind of work.
type work int

const (
	flushWork work = iota
	compactWork
)

// Worker flushes and compacts shards in the background, a few at a time. Each
// kind of work has a queue and goroutines of its own: no flush waits for a
// compaction. A shard waits at most once in a queue, so shards bound it.
type Worker struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu struct {
		sync.Mutex
		wake   *sync.Cond
		shards map[*Shard]struct{}
		queue  [2][]*Shard // per kind of work
		closed bool
	}
}

// NewWorker starts a Worker that flushes as many shards at a time, at least
// one, and compacts one.
func NewWorker(shardsAtATime int) *Worker {
	w := &Worker{}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.mu.wake = sync.NewCond(&w.mu)
	w.mu.shards = map[*Shard]struct{}{}
	for range max(1, shardsAtATime) {
		w.wg.Go(func() { w.work(flushWork) })
	}
	w.wg.Go(func() { w.work(compactWork) })
	w.wg.Go(w.watch)
	return w
}

// Close ends what is under way and waits for it. Shards stay usable. It may be
// called twice.
func (w *Worker) Close() error {
	w.mu.Lock()
	w.mu.closed = true
	w.mu.wake.Broadcast()
	w.mu.Unlock()
	w.cancel()
	w.wg.Wait()
	return nil
}

func (w *Worker) add(s *Shard) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.shards[s] = struct{}{}
}

func (w *Worker) remove(s *Shard) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.mu.shards, s)
}

// enqueue asks for s to be looked at.
func (w *Worker) enqueue(s *Shard, kind work) {
	if s.queued[kind].Swap(true) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.queue[kind] = append(w.mu.queue[kind], s)
	w.mu.wake.Broadcast()
}

// next waits for a shard; nil when the Worker is closed.
func (w *Worker) next(kind work) *Shard {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if w.mu.closed {
			return nil
		}
		if q := w.mu.queue[kind]; len(q) > 0 {
			w.mu.queue[kind] = q[1:]
			// From now on it may be asked for again: what came later may be missed.
			q[0].queued[kind].Store(false)
			return q[0]
		}
		w.mu.wake.Wait()
	}
}

func (w *Worker) work(kind work) {
	for s := w.next(kind); s != nil; s = w.next(kind) {
		if err := s.maintain(w.ctx, kind); err != nil && !isPassing(err) {
			s.putOff(kind)
			s.metrics.BackgroundErrors.Inc()
			s.log.Error("flush or compaction failed, will be tried again", "dir", s.dir, "err", err)
		}
	}
}

// watch asks for the shards that are due by age.
func (w *Worker) watch() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-t.C:
		}
		w.mu.Lock()
		shards := make([]*Shard, 0, len(w.mu.shards))
		for s := range w.mu.shards {
			shards = append(shards, s)
		}
		w.mu.Unlock()
		for _, s := range shards {
			d := s.due()
			if d.flush {
				w.enqueue(s, flushWork)
			}
			if d.tier || d.cold {
				w.enqueue(s, compactWork)
			}
		}
	}
}
