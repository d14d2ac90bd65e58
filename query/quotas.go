package query

import (
	"context"
	"slices"

	"github.com/varvedb/varve/query/memory"
)

// Quotas bounds what the requests of one user, and those on one database, take
// together, and can be changed while they run. It is safe for concurrent use.
// coordinator/quota implements it.
type Quotas interface {
	// Admit waits until a request may run, of a user or of anyone (""). It fails
	// with model.ErrOverloaded where too many wait. The Share's Leave must follow.
	Admit(ctx context.Context, user string, databases []string) (Share, error)
	// Spend waits until so many points of SELECT … INTO may be written.
	Spend(ctx context.Context, user, database string, points int) error
}

// Share is what a request was let in with.
type Share struct {
	// Memory is what its statements draw on besides the node's pool.
	Memory []*memory.Pool
	// Leave says that the request has ended.
	Leave func()
}

// LimitBy sets what bounds users and databases. It is called before the first
// request.
func (e *Executor) LimitBy(q Quotas) { e.quotas = q }

// enter waits until a request may run: first for what its own user and its
// databases may have, since who waits for those should not keep others waiting.
// What it gives must leave, with an error, too.
//
// Continuous queries are a class of their own: they neither wait for clients, nor
// do clients wait for them, nor are they held against anybody's quota. How many
// of them run is bounded where they are started.
func (e *Executor) enter(ctx context.Context, q *Query) (turn, error) {
	t := turn{leave: func() {}}
	if q.req.continuous {
		slot, err := e.continuous.enter(ctx)
		t.slot = slot
		return t, err
	}
	if e.quotas != nil {
		share, err := e.quotas.Admit(ctx, q.req.user(), q.databases())
		if err != nil {
			return t, err
		}
		t.memory, t.leave = share.Memory, share.Leave
	}
	var err error
	t.slot, err = e.admit.enter(ctx)
	return t, err
}

// turn is what a request that runs has been given. A zero turn but for leave is
// that of one that waits for nobody.
type turn struct {
	slot   *slot
	memory []*memory.Pool
	leave  func()
}

// user gives the name of who asks, "" for anyone.
func (r *Request) user() string {
	if r.User == nil {
		return ""
	}
	return r.User.Name()
}

// databases gives the databases that a request reads or writes.
func (q *Query) databases() []string {
	var all []string
	for _, stmt := range q.statements {
		for _, n := range q.req.needs(stmt) {
			if n.database != "" && !slices.Contains(all, n.database) {
				all = append(all, n.database)
			}
		}
	}
	return all
}

// spend waits until points may be written. Other requests run in the place of
// this one meanwhile.
func (r *statementRun) spend(ctx context.Context, database string, points int) error {
	q := r.executor.quotas
	if q == nil || r.req.continuous {
		return nil
	}
	return r.watch.give(func() error { return q.Spend(ctx, r.req.user(), database, points) })
}
