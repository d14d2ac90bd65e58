package meta

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/model"
)

// Bounds of what every node keeps in memory. etcd takes 1.5 MB in a request.
const (
	maxDatabases     = 20_000
	maxDatabaseBytes = 1 << 20 // of the record of one, with its policies and their subscriptions
)

// CreateDatabase makes a database with one policy, the default: autogen, or
// what spec says. For one that exists a nil spec changes nothing, and another
// must say what its default policy already is; else the error is
// model.ErrConflict.
func (s *Store) CreateDatabase(ctx context.Context, name string, spec *PolicySpec) error {
	if err := checkName(name); err != nil {
		return err
	}
	asked := spec
	if asked == nil {
		asked = &PolicySpec{}
	}
	policy, err := asked.policy()
	if err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d := now.Database(name)
		switch {
		case d != nil && spec == nil:
			return true, nil
		case d != nil && len(d.Policies) > 0:
			have := d.Policy(policy.Name)
			if have == nil || have.Name != d.DefaultPolicy || !now.matches(spec, have) {
				return false, conflict("retention policy conflicts with an existing policy")
			}
			return true, nil
		case d != nil:
			return s.addPolicy(ctx, now, name, policy, true)
		case len(now.databases) >= maxDatabases:
			return false, tooLarge(fmt.Sprintf("too many databases: the limit is %d", maxDatabases))
		}
		to := Database{UID: now.counter.next, Name: name, DefaultPolicy: policy.Name}
		p := *policy
		p.UID = to.UID + 1
		to.Policies = []*Policy{&p}
		return s.commit(ctx, "create database",
			[]Condition{{Key: s.keys.name(name)}, s.idsUnchanged(now)},
			[]Op{
				Put(s.keys.database(to.UID), encode(databaseToRecord(&to))),
				Put(s.keys.name(name), encode(nameRecord{Format: recordFormat, Database: to.UID})),
				s.takeIDs(now, 2),
			})
	})
}

// DropDatabase removes a database with its policies, groups, schemas and
// continuous queries; none of that name is no error. The shards' data is removed by the data nodes once
// they see it.
func (s *Store) DropDatabase(ctx context.Context, name string) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d := now.database(name)
		if d == nil {
			return true, nil
		}
		return s.commit(ctx, "drop database",
			[]Condition{{Key: s.keys.database(d.UID), Revision: d.modified}},
			[]Op{
				Delete(s.keys.database(d.UID)),
				Delete(s.keys.name(name)),
				DeletePrefix(s.keys.databaseGroups(d.UID)),
				DeletePrefix(s.keys.continuousQueries(d.UID)),
				DeletePrefix(s.keys.databaseProgress(d.UID)),
			})
	})
}

// CreatePolicy adds a policy to a database. One that exists and is the same is
// no error; another is model.ErrConflict.
func (s *Store) CreatePolicy(ctx context.Context, database string, spec PolicySpec, makeDefault bool) error {
	if err := checkName(spec.Name); err != nil {
		return err
	}
	policy, err := spec.policy()
	if err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		return s.addPolicy(ctx, now, database, policy, makeDefault)
	})
}

func (s *Store) addPolicy(ctx context.Context, now *Snapshot, database string, policy *Policy, makeDefault bool) (bool, error) {
	d := now.database(database)
	if d == nil {
		return false, databaseNotFound(database)
	}
	if have := d.Policy(policy.Name); have != nil {
		switch {
		case !now.same(have, policy):
			return false, conflict("retention policy already exists")
		case makeDefault && d.DefaultPolicy != policy.Name:
			return false, conflict("retention policy conflicts with an existing policy")
		}
		return true, nil
	}
	p := *policy
	p.UID = now.counter.next
	to := d.Database
	to.Policies = append(slices.Clip(to.Policies), &p)
	if makeDefault {
		to.DefaultPolicy = p.Name
	}
	put, err := s.putLarger(&to)
	if err != nil {
		return false, err
	}
	return s.commit(ctx, "create retention policy",
		[]Condition{{Key: s.keys.database(d.UID), Revision: d.modified}, s.idsUnchanged(now)},
		[]Op{put, s.takeIDs(now, 1)})
}

// putLarger gives the Op that keeps a database to which something was added,
// unless it has become too large.
func (s *Store) putLarger(d *Database) (Op, error) {
	record := encode(databaseToRecord(d))
	if len(record) > maxDatabaseBytes {
		return Op{}, tooLarge(fmt.Sprintf("database %s has too many retention policies and subscriptions: %d bytes, the limit is %d", d.Name, len(record), maxDatabaseBytes))
	}
	return Put(s.keys.database(d.UID), record), nil
}

// AlterPolicy changes a policy. Groups that exist keep their span and owners.
func (s *Store) AlterPolicy(ctx context.Context, database, name string, u PolicyUpdate) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d := now.database(database)
		if d == nil {
			return false, databaseNotFound(database)
		}
		i := d.policyIndex(name)
		if i < 0 {
			return false, policyNotFound(name)
		}
		p, err := u.apply(d.Policies[i])
		if err != nil {
			return false, err
		}
		to := d.Database
		to.Policies = slices.Clone(to.Policies)
		to.Policies[i] = p
		if u.Default {
			to.DefaultPolicy = name
		}
		return s.commit(ctx, "alter retention policy",
			[]Condition{{Key: s.keys.database(d.UID), Revision: d.modified}},
			[]Op{Put(s.keys.database(d.UID), encode(databaseToRecord(&to)))})
	})
}

// DropPolicy removes a policy with its groups; none of that name is no error.
// Dropping the default policy leaves the database without one.
func (s *Store) DropPolicy(ctx context.Context, database, name string) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d := now.database(database)
		if d == nil {
			return true, nil
		}
		i := d.policyIndex(name)
		if i < 0 {
			return true, nil
		}
		to := d.Database
		to.Policies = slices.Delete(slices.Clone(to.Policies), i, i+1)
		return s.commit(ctx, "drop retention policy",
			[]Condition{{Key: s.keys.database(d.UID), Revision: d.modified}},
			[]Op{
				Put(s.keys.database(d.UID), encode(databaseToRecord(&to))),
				DeletePrefix(s.keys.policyGroups(d.UID, d.Policies[i].UID)),
			})
	})
}

// policyIndex finds a policy by its very name ("" is not the default), or
// gives -1.
func (d *Database) policyIndex(name string) int {
	return slices.IndexFunc(d.Policies, func(p *Policy) bool { return p.Name == name })
}

// matches reports whether spec, where it says something, says what p is.
func (s *Snapshot) matches(spec *PolicySpec, p *Policy) bool {
	return (spec.Duration == nil || *spec.Duration == p.Duration) &&
		(spec.Replicas == nil || *spec.Replicas == s.Factor(p)) &&
		shardDuration(spec.ShardDuration, p.Duration) == p.ShardDuration &&
		(spec.FutureLimit == 0 || spec.FutureLimit == p.FutureLimit) &&
		(spec.PastLimit == 0 || spec.PastLimit == p.PastLimit)
}

// change runs attempt on a fresh Snapshot until it is done or fails. attempt
// returns false when its transaction lost against another change; the Snapshot
// is fresh again by then.
func (s *Store) change(ctx context.Context, attempt func(context.Context, *Snapshot) (done bool, err error)) error {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return s.unavailable(ctx, "wait for another change", ctx.Err())
	}
	if err := s.refresh(ctx); err != nil {
		return err
	}
	return s.retry(ctx, func() (bool, error) { return attempt(ctx, s.Snapshot()) })
}

// retry runs attempt until it is done or fails.
func (s *Store) retry(ctx context.Context, attempt func() (done bool, err error)) error {
	for pause := time.Millisecond; ; pause = min(2*pause, maxRetryPause) {
		done, err := attempt()
		if done || err != nil {
			return err
		}
		// Half of it by chance, so that those who collide part.
		if pace.Sleep(ctx, pause/2+rand.N(pause)) != nil {
			return s.unavailable(ctx, "try a change again", ctx.Err())
		}
	}
}

// maxRetryPause bounds the pause between two tries of a change.
const maxRetryPause = 50 * time.Millisecond

// idsUnchanged holds when no id has been taken since the snapshot: no
// database, policy, group or node has been made.
func (s *Store) idsUnchanged(now *Snapshot) Condition {
	return Condition{Key: s.keys.ids(), Revision: now.counter.modified}
}

// takeIDs takes n ids, from counter.next on.
func (s *Store) takeIDs(now *Snapshot, n uint64) Op {
	return Put(s.keys.ids(), encode(idsRecord{Format: recordFormat, Next: now.counter.next + n}))
}

func conflict(text string) error { return &model.Error{Kind: model.ErrConflict, Text: text} }
