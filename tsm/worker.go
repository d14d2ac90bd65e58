package tsm

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/internal/pace"
)

// tick is how often a Worker looks at all its shards.
const tick = time.Second

// work is a kind of work, the most urgent first.
type work int

const (
	packWork  work = iota // gives most of the memory back, which writers wait for
	flushWork             // gives the rest of it back
	mergeWork             // of small files of a shard that is written to: writers wait for it in the end
	applyWork             // of deletes to the files that have rows they hide
	coldWork              // on a whole shard whose time is over
	scrubWork
	works
)

func (k work) String() string {
	return [...]string{"pack", "flush", "merge", "apply deletes", "rewrite", "scrub"}[k]
}

// WorkerConfig says how much a Worker may do.
type WorkerConfig struct {
	// Flushers is how many shards are flushed at a time, at least one.
	Flushers int
	// CompactionRate bounds the bytes a second that merges and rewrites read and
	// write, all together; 0 is no bound. Flushes have none.
	CompactionRate int64
	// ScrubRate is how many bytes a second are read back to find damage; 0 is
	// that none are.
	ScrubRate int64
	// Metrics is where it says what there is; nil is nowhere.
	Metrics *Metrics
}

// Worker does what shards need in the background. Each kind of work has a queue,
// from which the shard with the most to do comes first, and few goroutines: one
// that packs memtables, those for flushes, one for merges and deletes, one for
// shards that are over, one for scrubs. So no flush waits for a compaction and no
// small merge for the rewriting of a large shard, which may take minutes; and what
// is less urgent goes slowly while there is anything more urgent, for all share
// processors and disk. A shard waits at most once in a queue, so shards bound it.
type Worker struct {
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	compact  *pace.Pace
	scrubbed *pace.Pace
	metrics  *Metrics
	busy     [works]atomic.Int32 // shards that wait or are worked on

	mu struct {
		sync.Mutex
		wake   *sync.Cond
		shards map[*Shard]struct{}
		queue  [works][]*Shard
		closed bool
	}
}

// NewWorker starts a Worker.
func NewWorker(cfg WorkerConfig) *Worker {
	w := &Worker{compact: pace.New(cfg.CompactionRate), scrubbed: pace.New(cfg.ScrubRate), metrics: cfg.Metrics}
	if w.metrics == nil {
		w.metrics = NewMetrics(nil)
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.mu.wake = sync.NewCond(&w.mu)
	w.mu.shards = map[*Shard]struct{}{}
	w.wg.Go(func() { w.work(packWork) })
	for range max(1, cfg.Flushers) {
		w.wg.Go(func() { w.work(flushWork) })
	}
	w.wg.Go(func() { w.work(mergeWork, applyWork) })
	w.wg.Go(func() { w.work(coldWork) })
	if cfg.ScrubRate > 0 {
		w.wg.Go(w.scrub)
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

// all gives the shards that there are.
func (w *Worker) all() []*Shard {
	w.mu.Lock()
	defer w.mu.Unlock()
	shards := make([]*Shard, 0, len(w.mu.shards))
	for s := range w.mu.shards {
		shards = append(shards, s)
	}
	return shards
}

// enqueue asks for s to be looked at.
func (w *Worker) enqueue(s *Shard, kind work) {
	if s.queued[kind].Swap(true) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy[kind].Add(1)
	w.mu.queue[kind] = append(w.mu.queue[kind], s)
	w.mu.wake.Broadcast()
}

// next waits for a shard and tells what of the kinds, the most urgent first, to
// do with it; nil when the Worker is closed.
func (w *Worker) next(kinds []work) (*Shard, work) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.mu.closed {
		for _, kind := range kinds {
			q := w.mu.queue[kind]
			if len(q) == 0 {
				continue
			}
			most := 0
			for i := range q {
				if q[i].backlog[kind].Load() > q[most].backlog[kind].Load() {
					most = i
				}
			}
			s := q[most]
			// In order of arrival, so that equals do not wait for ever.
			copy(q[most:], q[most+1:])
			q[len(q)-1] = nil
			w.mu.queue[kind] = q[:len(q)-1]
			// From now on it may be asked for again: what came later may be missed.
			s.queued[kind].Store(false)
			return s, kind
		}
		w.mu.wake.Wait()
	}
	return nil, 0
}

func (w *Worker) work(kinds ...work) {
	for s, kind := w.next(kinds); s != nil; s, kind = w.next(kinds) {
		err := s.maintain(w.ctx, kind)
		w.busy[kind].Add(-1)
		if err != nil && !isPassing(err) {
			s.putOff(kind)
			s.metrics.BackgroundErrors.WithLabelValues(kind.String()).Inc()
			s.log.Error("background work failed, will be tried again", "work", kind, "dir", s.dir, "err", err)
		}
	}
}

// pause is how long a step of less urgent work waits while there is more urgent
// work. A step takes a few milliseconds, so that the work goes on at a part of
// its speed, however long the other takes.
const pause = 20 * time.Millisecond

// yield is called between steps of work that have read and written so many
// bytes: it keeps to the rate, and stays behind more urgent work.
func (w *Worker) yield(ctx context.Context, kind work, bytes int64) error {
	for k := range kind {
		if w.busy[k].Load() > 0 {
			t := time.NewTimer(pause)
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
			}
			break
		}
	}
	if kind == scrubWork {
		return w.scrubbed.Spend(ctx, bytes)
	}
	return w.compact.Spend(ctx, bytes)
}

// watch asks for the shards that are due by age, and counts what there is.
func (w *Worker) watch() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-t.C:
		}
		var all census
		for _, s := range w.all() {
			for kind, backlog := range s.due() {
				if backlog > 0 {
					w.enqueue(s, work(kind))
				}
			}
			all.add(s)
		}
		all.report(w.metrics)
	}
}
