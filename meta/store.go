package meta

import (
	"context"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// Store is the metadata of one cluster as one node sees it. Its methods may be
// called at the same time.
type Store struct {
	kv      KV
	keys    keyspace
	cfg     Config
	fs      vfs.FS
	dir     string
	log     *slog.Logger
	metrics *metrics
	hashing hashing

	identity identity // of this directory; RegisterNode completes it

	snapshot atomic.Pointer[Snapshot]
	awayTill atomic.Int64 // do not count on etcd before this time, see EnsureFields

	// turn is held by the one change of this Store that is on its way, so that
	// changes of one node do not make each other lose. It is a channel since
	// its holder waits for etcd and those who wait for it must be able to stop.
	turn chan struct{}

	mu struct {
		sync.Mutex
		changed chan struct{} // closed and replaced after each new snapshot
	}

	// freshness tells how old the Snapshot may be. See Away.
	freshness struct {
		sync.Mutex
		watched int64     // revision up to which the watch has sent everything
		at      time.Time // the Snapshot was complete then

		// A comparison that waits for the watch: at began, etcd was at revision.
		open     bool
		began    time.Time
		revision int64
	}

	run      uint64     // random, of this run of the node
	expelled chan error // holds one; see Expelled

	background func(func(context.Context)) // starts a goroutine that Close ends
	cancel     context.CancelFunc
	done       sync.WaitGroup // watcher, comparer, keeper of the copy on disk, pulse
}

// Open reads the metadata of cfg.Cluster, makes it when the store behind kv
// has none, and keeps watching it until Close. dir holds the identity of this
// node and the last copy of the snapshot, which is what the Store begins with
// when etcd does not answer.
//
// A dir that belongs to another cluster is refused with model.ErrConflict. reg
// may be nil. kv stays the caller's and must not be closed before the Store.
func Open(ctx context.Context, kv KV, fs vfs.FS, dir string, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{kv: kv, keys: newKeyspace(cfg.Cluster), cfg: cfg, fs: fs, dir: dir, log: log, metrics: newMetrics(reg), hashing: newHashing(), turn: make(chan struct{}, 1), run: random64(), expelled: make(chan error, 1)}
	s.mu.changed = make(chan struct{})
	if err := fs.MkdirAll(dir); err != nil {
		return nil, err
	}
	if err := fs.SyncDir(path.Dir(dir)); err != nil {
		return nil, err
	}
	var err error
	if s.identity, err = openIdentity(fs, path.Join(dir, identityFile)); err != nil {
		return nil, err
	}
	began := time.Now()
	first, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	if !first.fromDisk {
		// A copy may be of the present revision, too; but it says of nobody that
		// they are alive.
		s.freshness.at, s.freshness.watched = began, first.next.revision
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.background = func(work func(context.Context)) { s.done.Go(func() { work(run) }) }
	snapshot := first.snapshot()
	s.publish(snapshot)
	var kept *Snapshot
	if first.fromDisk {
		kept = snapshot
	}
	s.background(s.compare)
	s.background(func(ctx context.Context) { s.watch(ctx, first) })
	s.background(func(ctx context.Context) { s.keepCopy(ctx, kept) })
	return s, nil
}

// Close ends the node's sign of life and the watch, and writes the last copy of
// the snapshot. It is safe to call twice.
func (s *Store) Close() error {
	s.cancel()
	s.done.Wait()
	return nil
}

// Snapshot gives the last metadata that this node has seen. It never blocks.
func (s *Store) Snapshot() *Snapshot { return s.snapshot.Load() }

// Changed gives a channel that is closed once a Snapshot newer than the one
// of now is there. Ask for it before reading the Snapshot.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.changed
}

// Refresh waits until the Snapshot includes every change that was made before
// the call, on any node.
func (s *Store) Refresh(ctx context.Context) error {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	return s.refresh(ctx)
}

// Database gives a database. That there is none (model.ErrNotFound) is said
// only after a Refresh.
func (s *Store) Database(ctx context.Context, name string) (*Database, error) {
	if d := s.Snapshot().Database(name); d != nil {
		return d, nil
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	if d := s.Snapshot().Database(name); d != nil {
		return d, nil
	}
	return nil, databaseNotFound(name)
}

// Policy gives a policy of a database, the default one for "". That there is
// none (model.ErrNotFound) is said only after a Refresh.
func (s *Store) Policy(ctx context.Context, database, policy string) (*Database, *Policy, error) {
	if d := s.Snapshot().Database(database); d != nil {
		if p := d.Policy(policy); p != nil {
			return d, p, nil
		}
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, nil, err
	}
	d := s.Snapshot().Database(database)
	if d == nil {
		return nil, nil, databaseNotFound(database)
	}
	if p := d.Policy(policy); p != nil {
		return d, p, nil
	}
	if policy == "" {
		policy = d.DefaultPolicy
	}
	return nil, nil, policyNotFound(policy)
}

func databaseNotFound(name string) error {
	return &model.Error{Kind: model.ErrNotFound, Text: "database not found: " + name}
}

func policyNotFound(name string) error {
	return &model.Error{Kind: model.ErrNotFound, Text: "retention policy not found: " + name}
}

// errUnavailable is what a client sees of any trouble with etcd.
var errUnavailable = &model.Error{Kind: model.ErrUnavailable, Text: "metadata store unavailable"}

// deadline bounds a change or a linearizable read.
func (s *Store) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.cfg.Timeout, errUnavailable)
}

// unavailable turns an error of kv into what the caller of the Store sees, and
// keeps its cause in the log. A caller that went away sees its own error.
func (s *Store) unavailable(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil && context.Cause(ctx) != error(errUnavailable) {
		return ctx.Err()
	}
	s.metrics.failures.Inc()
	s.awayTill.Store(time.Now().Add(s.cfg.Timeout).UnixNano())
	s.log.Warn("metadata store did not answer", "doing", doing, "error", err)
	return errUnavailable
}

func (s *Store) refresh(ctx context.Context) error {
	item, ok, err := s.kv.Get(ctx, s.keys.changed())
	if err != nil {
		return s.unavailable(ctx, "read revision", err)
	}
	if !ok {
		return s.unavailable(ctx, "read revision", model.ErrNotFound)
	}
	return s.wait(ctx, item.Modified)
}

// commit makes a change if the conditions hold and waits until the Snapshot
// includes it. Every transaction also writes the key "changed", whose revision
// is what refresh waits for.
func (s *Store) commit(ctx context.Context, doing string, when []Condition, ops []Op) (bool, error) {
	ops = append(ops, Put(s.keys.changed(), encode(changedRecord{Format: recordFormat, By: s.identity.ID})))
	ok, revision, err := s.kv.Txn(ctx, when, ops)
	if err != nil {
		return false, s.unavailable(ctx, doing, err)
	}
	if !ok {
		s.metrics.conflicts.Inc()
		return false, s.refresh(ctx)
	}
	s.metrics.changes.Inc()
	return true, s.wait(ctx, revision)
}

// wait returns when the Snapshot is of that revision or a later one.
func (s *Store) wait(ctx context.Context, revision int64) error {
	for {
		changed := s.Changed()
		if s.Snapshot().revision >= revision {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s.unavailable(ctx, "wait for the watch", ctx.Err())
		}
	}
}

func (s *Store) publish(next *Snapshot) {
	s.snapshot.Store(next)
	s.metrics.revision.Set(float64(next.revision))
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.mu.changed)
	s.mu.changed = make(chan struct{})
}
