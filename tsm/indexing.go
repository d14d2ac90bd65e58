package tsm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/index"
)

const (
	// maxUnkeptSeries, and maxUnkeptBytes of memory, is how many series are in no
	// index file before one is written, without waiting for a flush.
	maxUnkeptSeries = 128 << 10
	maxUnkeptBytes  = 64 << 20
	// maxIndexFiles is the number of index files from which on small ones are
	// merged with larger ones: a series that is new is looked for in all of them.
	maxIndexFiles = 16
)

// openIndex opens an index file.
func openIndex(fsys vfs.FS, dir string, x indexFile, hash func([]byte) model.SeriesHash) (*index.File, error) {
	f, err := index.OpenFile(fsys, path.Join(dir, indexName(x.id)), x.first, x.end, hash)
	if err != nil && isShortage(err) {
		err = fmt.Errorf("%w: %w", model.ErrUnavailable, err)
	}
	return f, err
}

// loadIndex opens the index files that the manifest names.
func (s *Shard) loadIndex() error {
	for _, x := range s.mu.indexes {
		f, err := openIndex(s.fs, s.dir, x, s.cfg.Hash)
		if err != nil {
			return err
		}
		if err := s.index.Append(f); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return nil
}

// writeIndex keeps the series that are in no index file yet: a segment file
// names series by ids that must mean the same after a restart. Those that no
// published batch has named must wait, for they may never get a row.
func (s *Shard) writeIndex(e *edit) error {
	first := s.index.Kept()
	for {
		s.mu.Lock()
		end := min(s.mu.publishedSeries, first+index.MaxFileSeries)
		s.mu.Unlock()
		if first >= end {
			return nil
		}
		if err := s.writeIndexFile(e, first, end); err != nil {
			return errors.Join(err, s.removeIndexes(e))
		}
		first = end
	}
}

// writeIndexFile writes the index file of some series and adds it to e.
func (s *Shard) writeIndexFile(e *edit, first, end uint32) error {
	s.mu.Lock()
	x := indexFile{id: s.mu.nextID, first: first, end: end}
	s.mu.nextID++
	s.mu.Unlock()
	var err error
	if x.size, err = s.index.Write(s.fs, s.path(indexName(x.id)), first, end); err != nil {
		return errors.Join(err, removeIfAny(s.fs, s.path(indexName(x.id))))
	}
	e.addIndexes = append(e.addIndexes, x)
	f, err := openIndex(s.fs, s.dir, x, s.cfg.Hash)
	if err != nil {
		return err
	}
	e.indexes = append(e.indexes, f)
	return nil
}

// removeIndexes removes the index files of an edit that was not tried.
func (s *Shard) removeIndexes(e *edit) error {
	errs := []error{e.closeIndexes()}
	for _, x := range e.addIndexes {
		errs = append(errs, removeIfAny(s.fs, s.path(indexName(x.id))))
	}
	return errors.Join(errs...)
}

// closeIndexes closes the index files of an edit that did not come into force.
func (e *edit) closeIndexes() error {
	var errs []error
	for _, f := range e.indexes {
		errs = append(errs, f.Close())
	}
	e.indexes = nil
	return errors.Join(errs...)
}

// installIndexes makes the index files of an edit in force those that are read.
func (s *Shard) installIndexes(e *edit) error {
	var errs []error
	for _, f := range e.indexes {
		errs = append(errs, s.index.Install(f))
	}
	e.indexes = nil
	return errors.Join(errs...)
}

// indexDueLocked reports whether there is much in memory that an index file
// would take.
func (s *Shard) indexDueLocked() bool {
	kept := s.index.Kept()
	if s.mu.publishedSeries <= kept {
		return false
	}
	return s.mu.publishedSeries-kept >= maxUnkeptSeries || s.index.MemoryBytes() >= maxUnkeptBytes ||
		s.memoryLocked() >= s.cfg.MaxMemoryBytes
}

// flushIndex writes the series that are in no index file yet, and leaves their
// rows in the memtable.
func (s *Shard) flushIndex() error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	if s.closing.Load() {
		return errClosed
	}
	e := &edit{}
	if err := s.writeIndex(e); err != nil || len(e.addIndexes) == 0 {
		return err
	}
	return s.install(e, nil, nil, nil)
}

// compactIndex merges index files, and writes those anew of which a part was
// found damaged. It does nothing when there is nothing to do.
func (s *Shard) compactIndex(ctx context.Context) error {
	s.indexing.Lock()
	defer s.indexing.Unlock()
	for ctx.Err() == nil && !s.closing.Load() {
		s.mu.Lock()
		run := s.indexRunLocked()
		s.mu.Unlock()
		if len(run) == 0 {
			return nil
		}
		mended := s.index.Derived(run[0].first)
		if mended {
			s.log.Warn("index file is damaged, it is written anew from its other parts", "dir", s.dir, "file", indexName(run[0].id))
		}
		e := &edit{}
		for _, x := range run {
			e.dropIndexes = append(e.dropIndexes, x.id)
		}
		if err := s.writeIndexFile(e, run[0].first, run[len(run)-1].end); err != nil {
			return fmt.Errorf("merge index files: %w", errors.Join(err, s.removeIndexes(e)))
		}
		if err := s.install(e, nil, nil, nil); err != nil {
			return fmt.Errorf("merge index files: %w", err)
		}
		if mended {
			s.metrics.MendedIndexes.Inc()
		}
	}
	return ctx.Err()
}

// indexRunLocked gives neighbouring index files to be written as one, or none:
// as many of the newest as have, each, no more series than all after it, so that
// a series is written again as often as their number doubles; more where too
// many would be left.
func (s *Shard) indexRunLocked() []indexFile {
	all := s.mu.indexes
	if at := slices.IndexFunc(all, func(x indexFile) bool { return s.index.Derived(x.first) }); at >= 0 {
		return all[at : at+1]
	}
	if len(all) < 2 {
		return nil
	}
	from := len(all) - 1
	n := all[from].end - all[from].first
	for ; from > 0; from-- {
		more := all[from-1].end - all[from-1].first
		if n+more > index.MaxFileSeries || more > n && from < maxIndexFiles {
			break
		}
		n += more
	}
	if from == len(all)-1 {
		return nil
	}
	return all[from:]
}

// applyIndexes changes the list of index files as e says and gives the ids
// that are no more.
func applyIndexes(list *[]indexFile, e *edit) (dropped []uint64) {
	*list = slices.DeleteFunc(slices.Clone(*list), func(x indexFile) bool { return slices.Contains(e.dropIndexes, x.id) })
	*list = append(*list, e.addIndexes...)
	slices.SortFunc(*list, func(a, b indexFile) int { return cmp.Compare(a.first, b.first) })
	return e.dropIndexes
}
