package tsm

import (
	"context"
	"sync"
	"time"
)

// tick is how often a Worker looks at all its shards.
const tick = time.Second

// Worker flushes and compacts shards in the background, a few at a time. A
// shard waits at most once in its queue, so shards bound it.
type Worker struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu struct {
		sync.Mutex
		wake   *sync.Cond
		shards map[*Shard]struct{}
		queue  []*Shard
		closed bool
	}
}

// NewWorker starts a Worker that works on as many shards at a time, at least one.
func NewWorker(shardsAtATime int) *Worker {
	w := &Worker{}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.mu.wake = sync.NewCond(&w.mu)
	w.mu.shards = map[*Shard]struct{}{}
	for range max(1, shardsAtATime) {
		w.wg.Go(w.work)
	}
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

// enqueue asks for s to be looked at, before others when it is urgent.
func (w *Worker) enqueue(s *Shard, urgent bool) {
	if s.queued.Swap(true) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if urgent {
		w.mu.queue = append([]*Shard{s}, w.mu.queue...)
	} else {
		w.mu.queue = append(w.mu.queue, s)
	}
	w.mu.wake.Signal()
}

// next waits for a shard; nil when the Worker is closed.
func (w *Worker) next() *Shard {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if w.mu.closed {
			return nil
		}
		if len(w.mu.queue) > 0 {
			s := w.mu.queue[0]
			w.mu.queue = w.mu.queue[1:]
			// From now on s may be asked for again: what came later may be missed.
			s.queued.Store(false)
			return s
		}
		w.mu.wake.Wait()
	}
}

func (w *Worker) work() {
	for s := w.next(); s != nil; s = w.next() {
		if err := s.maintain(w.ctx); err != nil && !isPassing(err) {
			s.putOff()
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
			if s.due().any() {
				w.enqueue(s, false)
			}
		}
	}
}
