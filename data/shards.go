package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// retryOpen is how long a shard that failed to open answers with that error
// before it is tried again: opening replays a log, which is dear, and what
// stood in the way (a full disk, no file handles) may pass.
const retryOpen = 5 * time.Second

// droppedSuffix marks a directory that is being removed: one that a crash left
// half removed must never be opened as a shard.
const droppedSuffix = ".dropped"

// shards is the shards below one directory. Each is opened when it is used
// first; at most keep stay open that nobody uses.
type shards struct {
	vfs  vfs.FS
	dir  string
	keep int
	open func(id uint64, fs vfs.FS, dir string) (*tsm.Shard, error)

	uses sync.WaitGroup // of all handles

	mu struct {
		sync.Mutex
		byID   map[uint64]*handle // every shard with a directory is in it
		open   int                // handles with a shard
		closed bool
	}
}

// handle is one shard of the node.
type handle struct {
	id uint64

	// Protected by shards.mu.
	users   int
	used    time.Time
	loaded  bool // it was opened once: what it holds is known
	dropped bool // to be removed; nobody begins to use it any more

	// lock is held while the shard is opened, closed or removed. It protects
	// what follows. With shards.mu held it is only tried.
	lock  sync.Mutex
	shard *tsm.Shard // nil while closed
	err   error      // why it failed to open, until retry
	retry time.Time

	memory    atomic.Int64 // what its memtables held when last asked
	unflushed atomic.Int64 // what its log had then that is in no file
	readOnly  atomic.Bool  // a sync has failed since it was opened
	written   written
}

// loadShards lists the shards below dir, which is made when missing, and
// removes what is left of dropped ones. Nothing is opened.
func loadShards(fsys vfs.FS, dir string, keep int, open func(uint64, vfs.FS, string) (*tsm.Shard, error)) (*shards, error) {
	if err := vfs.MkdirAll(fsys, dir); err != nil {
		return nil, err
	}
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	s := &shards{vfs: fsys, dir: dir, keep: keep, open: open}
	s.mu.byID = make(map[uint64]*handle)
	for _, name := range names {
		if strings.HasSuffix(name, droppedSuffix) {
			if err := fsys.RemoveAll(path.Join(dir, name)); err != nil {
				return nil, err
			}
			continue
		}
		id, err := strconv.ParseUint(name, 10, 64)
		if err != nil || shardName(id) != name {
			continue // not ours: leave it alone
		}
		s.mu.byID[id] = &handle{id: id}
	}
	return s, nil
}

// shardName gives the name of a shard's directory, wide enough to sort by id.
func shardName(id uint64) string { return fmt.Sprintf("%020d", id) }

func (s *shards) path(id uint64) string { return path.Join(s.dir, shardName(id)) }

// has reports whether a shard has a directory here and is not being removed.
func (s *shards) has(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.mu.byID[id]
	return h != nil && !h.dropped
}

// absent reports whether a shard has no directory here, not even one that is
// being removed.
func (s *shards) absent(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.byID[id] == nil
}

// unlessThere calls f if a shard has no directory here. None is made meanwhile.
func (s *shards) unlessThere(id uint64, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.byID[id] == nil {
		f()
	}
}

// isLoaded reports whether a shard was opened once.
func (s *shards) isLoaded(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.mu.byID[id]
	return h != nil && h.loaded && !h.dropped
}

// ids gives all shards that have a directory.
func (s *shards) ids() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]uint64, 0, len(s.mu.byID))
	for id := range s.mu.byID {
		ids = append(ids, id)
	}
	return ids
}

// use gives a shard, made when missing, and keeps it open until release. An
// error of kind model.ErrNotFound says that it is being removed.
func (s *shards) use(id uint64) (*handle, *tsm.Shard, error) { return s.useOf(id, s.claim) }

// useThere is like use, but makes nothing: a shard without a directory is
// model.ErrNotFound, too. What is read must not be what a reader has made.
func (s *shards) useThere(id uint64) (*handle, *tsm.Shard, error) { return s.useOf(id, s.claimThere) }

func (s *shards) useOf(id uint64, claim func(id uint64) (*handle, error)) (*handle, *tsm.Shard, error) {
	h, err := claim(id)
	if err != nil {
		return nil, nil, fmt.Errorf("open shard %d: %w", id, err)
	}
	h.lock.Lock()
	shard, err := s.opened(h)
	h.lock.Unlock()
	if err != nil {
		s.release(h)
		return nil, nil, fmt.Errorf("open shard %d: %w", id, err)
	}
	return h, shard, nil
}

// claim counts a user of a handle, which is made when missing.
func (s *shards) claim(id uint64) (*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.byID[id] == nil && !s.mu.closed {
		s.mu.byID[id] = &handle{id: id}
	}
	return s.claimLocked(id)
}

func (s *shards) claimThere(id uint64) (*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claimLocked(id)
}

func (s *shards) claimLocked(id uint64) (*handle, error) {
	h := s.mu.byID[id]
	switch {
	case s.mu.closed:
		return nil, model.ErrClosed
	case h == nil:
		return nil, fmt.Errorf("not here: %w", model.ErrNotFound)
	case h.dropped:
		return nil, fmt.Errorf("dropped: %w", model.ErrNotFound)
	}
	h.users++
	s.uses.Add(1)
	return h, nil
}

// opened opens the shard of h if it is not. h.lock is held.
func (s *shards) opened(h *handle) (*tsm.Shard, error) {
	if h.shard != nil {
		return h.shard, nil
	}
	if h.err != nil && time.Now().Before(h.retry) {
		return nil, h.err
	}
	h.shard, h.err = s.create(h.id)
	if h.err != nil {
		h.shard = nil
		h.retry = time.Now().Add(retryOpen)
		return nil, h.err
	}
	h.readOnly.Store(false)
	s.mu.Lock()
	s.mu.open++
	h.loaded = true
	s.mu.Unlock()
	return h.shard, nil
}

func (s *shards) create(id uint64) (*tsm.Shard, error) {
	dir := s.path(id)
	// Its own entry made durable: else a power cut takes the shard whole.
	if err := vfs.MkdirAll(s.vfs, dir); err != nil {
		return nil, err
	}
	return s.open(id, s.vfs, dir)
}

// opens gives the number of shards that are open.
func (s *shards) opens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.open
}

// useOpen gives all shards that are open, each to be released.
func (s *shards) useOpen() map[*handle]*tsm.Shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := make(map[*handle]*tsm.Shard, s.mu.open)
	if s.mu.closed {
		return open
	}
	for _, h := range s.mu.byID {
		if h.dropped || !h.lock.TryLock() {
			continue
		}
		if h.shard != nil {
			h.users++
			s.uses.Add(1)
			open[h] = h.shard
		}
		h.lock.Unlock()
	}
	return open
}

// abandoned reports whether h waits to be removed and nobody uses it.
func (s *shards) abandoned(h *handle) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return h.dropped && h.users == 0
}

// release ends a use. It closes shards that are unused for longest while more
// than keep are open, and gives the errors of that.
func (s *shards) release(h *handle) error {
	s.mu.Lock()
	h.users--
	h.used = time.Now()
	s.mu.Unlock()
	defer s.uses.Done()
	var errs []error
	for {
		idle := s.surplus()
		if idle == nil {
			return errors.Join(errs...)
		}
		if err := s.shut(idle); err != nil {
			errs = append(errs, fmt.Errorf("close shard %d: %w", idle.id, err))
		}
	}
}

// surplus gives, locked, the handle to close next, or nil.
func (s *shards) surplus() *handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.open <= s.keep {
		return nil
	}
	var oldest *handle
	for _, h := range s.mu.byID {
		if h.users > 0 || oldest != nil && !h.used.Before(oldest.used) || !h.lock.TryLock() {
			continue
		}
		if h.shard == nil {
			h.lock.Unlock()
			continue
		}
		if oldest != nil {
			oldest.lock.Unlock()
		}
		oldest = h
	}
	return oldest
}

// shut flushes and closes the shard of a locked handle and unlocks it. What
// cannot be flushed stays in the shard's log.
func (s *shards) shut(h *handle) error {
	defer h.lock.Unlock()
	if h.shard == nil {
		return nil
	}
	err := h.shard.Flush(context.Background())
	return errors.Join(err, s.discard(h))
}

// discard closes the shard of a locked handle.
func (s *shards) discard(h *handle) error {
	if h.shard == nil {
		return nil
	}
	err := h.shard.Close()
	h.shard = nil
	h.memory.Store(0)
	h.unflushed.Store(0)
	s.mu.Lock()
	s.mu.open--
	s.mu.Unlock()
	return err
}

// drop removes a shard and its directory. It reports false when the shard is
// still in use: nobody begins to use it any more, and drop is to be called again.
func (s *shards) drop(id uint64) (bool, error) { return s.dropAs(id, droppedSuffix) }

// setAside is like drop, but keeps the directory under another name.
func (s *shards) setAside(id uint64) (bool, error) { return s.dropAs(id, asideSuffix) }

func (s *shards) dropAs(id uint64, suffix string) (bool, error) {
	s.mu.Lock()
	h := s.mu.byID[id]
	if h == nil {
		s.mu.Unlock()
		return true, nil
	}
	h.dropped = true
	free := h.users == 0 && h.lock.TryLock()
	s.mu.Unlock()
	if !free {
		return false, nil
	}
	defer h.lock.Unlock()
	closing := s.discard(h)
	// Renamed first: a directory half removed must not look like a shard.
	dead := s.path(id) + suffix
	var err error
	if suffix == asideSuffix {
		if _, there := s.vfs.List(s.path(id)); there == nil {
			err = s.vfs.RemoveAll(dead)
		}
	}
	if err == nil {
		err = s.vfs.Rename(s.path(id), dead)
	}
	if err == nil {
		err = s.vfs.SyncDir(s.dir)
	}
	if errors.Is(err, fs.ErrNotExist) { // never made, or renamed by the call before
		err = nil
	}
	if err == nil && suffix == droppedSuffix {
		err = s.vfs.RemoveAll(dead)
	}
	if err == nil {
		err = s.unmark(id)
	}
	if err != nil {
		return false, fmt.Errorf("drop shard %d: %w", id, errors.Join(err, closing))
	}
	s.mu.Lock()
	delete(s.mu.byID, id)
	s.mu.Unlock()
	return true, nil
}

// close waits for all users, then flushes and closes all shards.
func (s *shards) close() error {
	s.mu.Lock()
	s.mu.closed = true
	all := make([]*handle, 0, len(s.mu.byID))
	for _, h := range s.mu.byID {
		all = append(all, h)
	}
	s.mu.Unlock()
	s.uses.Wait()
	errs := make([]error, len(all))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, h := range all {
		g.Go(func() error {
			h.lock.Lock()
			if err := s.shut(h); err != nil {
				errs[i] = fmt.Errorf("close shard %d: %w", h.id, err)
			}
			return nil
		})
	}
	_ = g.Wait() // all errors are in errs
	return errors.Join(errs...)
}
