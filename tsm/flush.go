package tsm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/wal"
)

// Flush writes what is only in the log and in memory to files and lets the log
// go. A failed flush loses nothing and may be tried again.
func (s *Shard) Flush(ctx context.Context) error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	return s.flush(ctx)
}

// flushUnlessOther does nothing when another flush is under way.
func (s *Shard) flushUnlessOther(ctx context.Context) error {
	if !s.flushing.TryLock() {
		return nil
	}
	defer s.flushing.Unlock()
	return s.flush(ctx)
}

func (s *Shard) flush(ctx context.Context) error {
	mems, err := s.seal()
	if err == nil && len(mems) > 0 {
		err = s.flushMemtables(ctx, mems)
	}
	if err != nil {
		return fmt.Errorf("flush shard: %w", err)
	}
	return nil
}

// seal ends the active memtable, makes all that is in it durable, and gives the
// memtables that are to be flushed.
func (s *Shard) seal() ([]*memtable, error) {
	// None may be on its way to be packed, and from now on these are not.
	s.packing.Lock()
	defer s.packing.Unlock()
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return nil, errClosed
	}
	n := len(s.mu.sealed)
	// With memtables that are being flushed go the deletes, too.
	unkept := n == 0 && slices.ContainsFunc(s.mu.deletes.all, func(t *tombstone) bool { return !t.kept })
	if s.mu.active.empty() && len(s.mu.pending) == 0 && !unkept && (n == 0 || s.mu.sealed[n-1].flushing()) {
		defer s.mu.Unlock()
		return slices.Clone(s.mu.sealed), nil
	}
	// Under the lock, although it syncs: a batch must not get into the next log
	// file and this memtable, for it would be trimmed with neither flushed.
	through, err := s.wal.Rotate()
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	s.mu.active.logFile = through
	s.sealLocked()
	s.mu.sealedLog = s.wal.Appended()
	mems, last := slices.Clone(s.mu.sealed), s.mu.last
	s.mu.Unlock()
	return mems, s.syncAndPublish(last)
}

// sealLocked makes a new memtable the active one.
func (s *Shard) sealLocked() {
	s.mu.sealed = append(s.mu.sealed, s.mu.active)
	s.mu.active = newMemtable(s.cfg.Arena)
}

func (s *Shard) syncAndPublish(last wal.LSN) error {
	if err := s.wal.Sync(last); err != nil {
		return err
	}
	if s.publish(last) > 0 {
		s.buryLater()
	}
	return nil
}

// flushMemtables writes the rows of all sealed memtables to one file, together
// with the deletes that are in the log, and lets go of the log files.
func (s *Shard) flushMemtables(ctx context.Context, mems []*memtable) error {
	start := time.Now()
	e := &edit{applied: &model.BatchSet{}}
	rows, logFile := 0, wal.FileID(0)
	for _, m := range mems {
		e.applied.AddAll(&m.ids)
		rows += m.rows
		logFile = max(logFile, m.logFile)
	}
	if err := s.writeIndex(e); err != nil {
		return err
	}
	f, err := s.writeMemtables(ctx, mems)
	if err != nil {
		// The next try writes another, and on a full disk there is no room to spare.
		return errors.Join(err, s.removeIndexes(e))
	}
	if err := s.install(e, f, nil, mems); err != nil {
		return err
	}
	if f != nil {
		s.metrics.Flushes.Inc()
		s.metrics.FlushBytes.Add(float64(f.meta.size))
		s.metrics.RewriteSeconds.WithLabelValues(flushWork.String()).Observe(time.Since(start).Seconds())
		s.log.Info("flushed memtables", "dir", s.dir, "rows", rows, "bytes", f.meta.size, "took", time.Since(start))
	}
	s.mu.Lock()
	s.mu.flushedLog = logFile
	many := len(s.mu.indexes) >= maxIndexFiles
	s.mu.Unlock()
	if many {
		// The Worker merges them sooner, where there is one that finds the time.
		if err := s.compactIndex(ctx); err != nil {
			s.log.Warn("cannot merge index files", "dir", s.dir, "err", err)
		}
	}
	if err := s.ReleaseLog(); err != nil {
		// The batches are known to be in files: replay skips them.
		s.log.Warn("cannot trim log", "dir", s.dir, "err", err)
	}
	return nil
}

// writeMemtables writes a segment file of mems, nil when there are no rows to write.
func (s *Shard) writeMemtables(ctx context.Context, mems []*memtable) (*file, error) {
	mems = slices.DeleteFunc(slices.Clone(mems), func(m *memtable) bool { return m.rows == 0 })
	if len(mems) == 0 {
		return nil, nil
	}
	s.mu.Lock()
	w := s.planLocked(flushWork, nil, mems)
	s.mu.Unlock()
	f, err := w.run(ctx, s)
	if cerr := w.view.Close(); err == nil {
		err = cerr
	}
	return f, err
}

// install makes an edit with a new file (or none) in the place of old files or
// memtables, first in the manifest, then for readers.
func (s *Shard) install(e *edit, f *file, old []*file, mems []*memtable) error {
	s.installing.Lock()
	defer s.installing.Unlock()
	if f != nil {
		e.addFiles = append(e.addFiles, f.meta)
	}
	for _, o := range old {
		e.dropFiles = append(e.dropFiles, o.meta.id)
	}
	if err := s.commit(e); err != nil {
		// The record may be in force after a crash, so the new files stay until
		// another manifest is.
		if f != nil {
			s.doubtful = append(s.doubtful, segmentName(f.meta.id))
			err = errors.Join(err, f.release())
		}
		for _, x := range e.addIndexes {
			s.doubtful = append(s.doubtful, indexName(x.id))
		}
		return errors.Join(err, e.closeIndexes())
	}
	s.mu.Lock()
	s.mu.files = slices.DeleteFunc(slices.Clone(s.mu.files), func(f *file) bool { return slices.Contains(old, f) })
	if f != nil {
		f.since = s.now()
		s.mu.files = append(s.mu.files, f)
	}
	s.countSmallLocked()
	dropped := applyIndexes(&s.mu.indexes, e)
	if len(mems) > 0 {
		s.mu.sealed = slices.DeleteFunc(slices.Clone(s.mu.sealed), func(m *memtable) bool { return slices.Contains(mems, m) })
	}
	errs := []error{s.installIndexes(e)}
	if len(mems) > 0 || len(e.addIndexes) > 0 {
		s.makeRoomLocked()
	}
	s.mu.Unlock()
	for _, o := range old {
		errs = append(errs, o.drop())
	}
	for _, id := range dropped {
		errs = append(errs, s.pins.remove(s.fs, s.path(indexName(id))))
	}
	for _, m := range mems {
		errs = append(errs, m.release())
	}
	if err := errors.Join(errs...); err != nil {
		// Nothing names these files any more: the next start removes them.
		s.log.Warn("cannot give back files or memory", "dir", s.dir, "err", err)
	}
	return nil
}

func removeIfAny(fsys vfs.FS, name string) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// commit puts e into force, along with the deletes that are in no record yet,
// and forgets deletes that hide nothing any more. installing is held.
func (s *Shard) commit(e *edit) error {
	if e.applied == nil {
		e.applied = &model.BatchSet{}
	}
	s.mu.Lock()
	kept := map[uint64]bool{} // by number: coverNewLocked replaces tombstones
	for _, t := range s.mu.deletes.all {
		if !t.kept {
			e.addDeletes = append(e.addDeletes, t)
			e.applied.Add(t.batch)
			kept[t.number] = true
		}
	}
	e.dropDeletes = s.idleDeletesLocked(e)
	e.nextID, e.nextDelete, e.frontier = s.mu.nextID, s.mu.nextDelete, s.mu.frontier
	if dead := s.index.Buried(); !dead.Equals(s.buried) {
		e.buried = dead
	}
	var all *edit
	if s.manifest.failed != nil || s.manifest.size > maxManifestBytes {
		all = s.snapshotLocked(e)
	}
	s.mu.Unlock()

	if err := s.record(e, all); err != nil {
		return err
	}
	s.applied.AddAll(e.applied)
	if e.buried != nil {
		s.buried = e.buried
	}
	s.mu.Lock()
	for _, t := range s.mu.deletes.all {
		t.kept = t.kept || kept[t.number]
	}
	s.mu.deletes = s.mu.deletes.without(func(t *tombstone) bool {
		return slices.Contains(e.dropDeletes, t.number)
	})
	s.mu.Unlock()
	return nil
}

// record makes e durable: appended to the manifest, or as part of all in a new one.
func (s *Shard) record(e, all *edit) error {
	if all == nil {
		return s.manifest.append(e)
	}
	// A number is used once, so that a manifest that may be in force after a
	// crash is never written over.
	s.manifest.number++
	m, err := createManifest(s.fs, s.dir, s.manifest.number, all)
	if err != nil {
		s.manifest.failed = err
		return err
	}
	s.metrics.ManifestsReplaced.Inc()
	old := s.manifest
	s.manifest = m
	errs := []error{old.close(), s.removeManifests()}
	for _, name := range s.doubtful {
		errs = append(errs, removeIfAny(s.fs, s.path(name)))
	}
	s.doubtful = nil
	if err := errors.Join(errs...); err != nil {
		s.log.Warn("cannot remove what the old manifest named", "dir", s.dir, "err", err)
	}
	return nil
}

// snapshotLocked gives one record that says everything, e applied.
func (s *Shard) snapshotLocked(e *edit) *edit {
	all := &edit{
		nextID: e.nextID, nextDelete: e.nextDelete, frontier: e.frontier,
		applied: s.applied.Clone(), buried: s.buried,
	}
	all.applied.AddAll(e.applied)
	if e.buried != nil {
		all.buried = e.buried
	}
	for _, f := range s.mu.files {
		if !slices.Contains(e.dropFiles, f.meta.id) {
			all.addFiles = append(all.addFiles, f.meta)
		}
	}
	all.addFiles = append(all.addFiles, e.addFiles...)
	all.addIndexes = s.mu.indexes
	applyIndexes(&all.addIndexes, e)
	for _, t := range s.mu.deletes.all {
		if !slices.Contains(e.dropDeletes, t.number) {
			all.addDeletes = append(all.addDeletes, t)
		}
	}
	return all
}

// idleDeletesLocked gives those deletes that hide nothing any more once e is in
// force, and that nothing can come for: it is older than the frontier. It
// makes the frontier binding.
func (s *Shard) idleDeletesLocked(e *edit) (numbers []uint64) {
	frontier := s.frontierLocked()
	for _, t := range s.mu.deletes.all {
		if !t.searched || t.version.HLC >= frontier && !mutant.Is(mutant.TombstoneForgottenEarly) {
			continue
		}
		busy := slices.ContainsFunc(s.memtablesLocked(), func(m *memtable) bool {
			return t.covers(m.times, m.low, m.high) != coversNone
		}) || slices.ContainsFunc(s.mu.files, func(f *file) bool {
			return !slices.Contains(e.dropFiles, f.meta.id) && t.coversFile(&f.meta) != coversNone
		}) || slices.ContainsFunc(e.addFiles, func(f fileMeta) bool {
			return t.coversFile(&f) != coversNone
		})
		if !busy {
			numbers = append(numbers, t.number)
			s.mu.frontier = max(s.mu.frontier, frontier)
		}
	}
	return numbers
}
