package continuous

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/meta"
)

// term is the time of one lease.
type term struct {
	lease  *meta.Lease
	until  atomic.Pointer[time.Time] // the lease is held at least until then
	ctx    context.Context           // of the runs
	cancel context.CancelFunc
	// kept is what the terms before left, by uid of the query. It is read after
	// the lease was got, so it has all that they kept; the Snapshot may have the
	// queries themselves only later.
	kept   map[uint64]meta.Progress
	jobs   map[uint64]*job // by uid of the query
	active int             // runs
}

// guard is asked before each write: a runner that was away for longer than its
// lease must not write what it computed before.
func (t *term) guard() error {
	if time.Now().After(*t.until.Load()) {
		return meta.ErrDeposed
	}
	return nil
}
