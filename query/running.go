package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
)

// running is the requests that run, for SHOW QUERIES and KILL QUERY.
type running struct {
	mu    sync.Mutex // protects all below
	last  uint64     // the last id given
	tasks map[uint64]*task
}

type task struct {
	id     uint64
	query  *Query
	start  time.Time
	cancel context.CancelCauseFunc

	read     exec.Tally                    // by all its statements
	answered atomic.Int64                  // rows
	budget   atomic.Pointer[memory.Budget] // of the statement that runs, or ran last

	mu  sync.Mutex // protects why
	why error      // it ends early; set once
}

// add enters a request and gives the context that it runs in.
func (l *running) add(ctx context.Context, q *Query, start time.Time) (context.Context, *task) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &task{query: q, start: start, cancel: cancel}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tasks == nil {
		l.tasks = make(map[uint64]*task)
	}
	l.last++
	t.id = l.last
	l.tasks[t.id] = t
	return ctx, t
}

func (l *running) remove(t *task) {
	t.cancel(nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tasks, t.id)
}

// list gives what runs, oldest first.
func (l *running) list() []*task {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*task
	for _, t := range l.tasks {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *task) int { return cmp.Compare(a.id, b.id) })
	return all
}

// kill ends a request; its client sees "query interrupted".
func (l *running) kill(id uint64) error {
	l.mu.Lock()
	t := l.tasks[id]
	l.mu.Unlock()
	if t == nil {
		return &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("no such query id: %d", id)}
	}
	if !t.end(model.ErrInterrupted) {
		return &model.Error{Kind: model.ErrConflict, Text: "already killed"}
	}
	return nil
}

// held gives the memory that a request holds now, and the most that its statement
// held at a time.
func (t *task) held() (now, peak int64) {
	b := t.budget.Load()
	if b == nil {
		return 0, 0
	}
	return b.Used(), b.Peak()
}

// end ends a request with an error, which its client sees. It reports false
// where it is ending already.
func (t *task) end(why error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why != nil {
		return false
	}
	t.why = why
	t.cancel(why)
	return true
}

// ended gives the error of a request that was ended, or nil.
func (t *task) ended() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.why
}

// text gives the statements as the parser prints them, which hides passwords.
// It is called while the request runs, which may change its syntax trees, so
// it parses once more, unless they were made.
func (t *task) text() string {
	if t.query.text != "" {
		return t.query.text
	}
	q, err := t.query.req.parse()
	if err != nil {
		return "" // cannot be: it was parsed before
	}
	return printed(q.Statements...)
}
