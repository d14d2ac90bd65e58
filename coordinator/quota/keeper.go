package quota

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// Keeper keeps what those with a quota have taken. A nil Keeper refuses nothing.
// It is safe for concurrent use.
type Keeper struct {
	snapshot func() *meta.Snapshot
	metrics  *metrics

	mu       sync.Mutex // protects all below
	accounts map[key]*account
}

var _ query.Quotas = (*Keeper)(nil)

// key names who has a quota.
type key struct {
	kind string // databaseKind or userKind
	uid  uint64
}

const (
	databaseKind = "database"
	userKind     = "user"
)

// maxAccounts bounds the accounts, also those of what is gone; with one more all
// are forgotten, and begin anew.
const maxAccounts = 16 << 10

// New gives a Keeper of the quotas in the current snapshot. reg may be nil.
func New(snapshot func() *meta.Snapshot, reg prometheus.Registerer) *Keeper {
	return &Keeper{snapshot: snapshot, metrics: newMetrics(reg), accounts: make(map[key]*account)}
}

// MayWrite says whether a user ("" is anyone) may write to a database now, or
// fails with model.ErrOverloaded. It is asked before the work of a write begins.
func (k *Keeper) MayWrite(user, database string) error {
	if k == nil {
		return nil
	}
	for _, a := range k.of(user, database) {
		if err := a.mayWrite(time.Now()); err != nil {
			k.metrics.refused.WithLabelValues(a.key.kind, "write_points").Inc()
			return err
		}
	}
	return nil
}

// Wrote counts the points of a write that MayWrite let in. They may be more than
// is left: what is written above a quota delays the next writes.
func (k *Keeper) Wrote(user, database string, points int) {
	if k == nil {
		return
	}
	for _, a := range k.of(user, database) {
		a.wrote(time.Now(), points)
	}
}

// Spend implements query.Quotas.
func (k *Keeper) Spend(ctx context.Context, user, database string, points int) error {
	if k == nil {
		return nil
	}
	for _, a := range k.of(user, database) {
		for {
			wait := a.waitToWrite(time.Now())
			if wait == 0 {
				break
			}
			if err := pace.Sleep(ctx, min(wait, lookEvery)); err != nil {
				return err
			}
		}
		a.wrote(time.Now(), points)
	}
	return nil
}

// Admit implements query.Quotas.
func (k *Keeper) Admit(ctx context.Context, user string, databases []string) (query.Share, error) {
	var share query.Share
	if k == nil {
		share.Leave = func() {}
		return share, nil
	}
	var in []*account
	share.Leave = func() {
		for _, a := range in {
			a.leave()
		}
	}
	for _, a := range k.of(user, databases...) {
		if err := a.enter(ctx); err != nil {
			share.Leave()
			k.metrics.refused.WithLabelValues(a.key.kind, "queries").Inc()
			return query.Share{}, err
		}
		in = append(in, a)
		share.Memory = append(share.Memory, a.memory)
	}
	return share, nil
}

// of gives the accounts of those that have a quota: always in the same order,
// so that requests that wait for one while they hold another end.
func (k *Keeper) of(user string, databases ...string) []*account {
	now := k.snapshot()
	var out []*account
	add := func(id key, name string, q model.Quota) {
		if a := k.account(id, name, q); a != nil && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	for _, name := range databases {
		if d := now.Database(name); d != nil {
			add(key{databaseKind, d.UID}, name, d.Quota)
		}
	}
	if user != "" {
		if u := now.User(user); u != nil {
			add(key{userKind, u.UID}, user, u.Quota)
		}
	}
	slices.SortFunc(out, func(a, b *account) int { return a.key.compare(b.key) })
	return out
}

// account gives the account of one that has a quota, or nil. What a quota was
// taken from forgets its account.
func (k *Keeper) account(id key, name string, q model.Quota) *account {
	k.mu.Lock()
	defer k.mu.Unlock()
	a := k.accounts[id]
	switch {
	case q == (model.Quota{}):
		if a != nil {
			delete(k.accounts, id)
			a.set(q)
		}
		return nil
	case a == nil:
		if len(k.accounts) >= maxAccounts {
			clear(k.accounts)
		}
		a = newAccount(id, name, q)
		k.accounts[id] = a
	default:
		a.set(q)
	}
	return a
}
