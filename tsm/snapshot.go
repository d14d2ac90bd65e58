package tsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// Snapshot is one state of a shard's files, which stay until Close. It is safe
// for concurrent use, and outlives the shard.
type Snapshot struct {
	Files  []SnapshotFile // of the shard's directory, by name
	Newest model.HLC      // of all versions that the shard has taken

	s        *Shard
	manifest []byte
	held     []*file
	once     sync.Once
	closeErr error
}

// SnapshotFile is a file of a Snapshot.
type SnapshotFile struct {
	Name string
	Size int64
}

// Snapshot gives the files that the manifest names now, the deletes that it
// remembers, and the set of just the batches in these. What is only in the log
// is not in it: a copy pulls that. A shard with damaged files gives none.
func (s *Shard) Snapshot() (*Snapshot, error) {
	s.installing.Lock()
	defer s.installing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil, errClosed
	}
	for _, f := range s.mu.files {
		if err := f.err(); err != nil {
			return nil, fmt.Errorf("snapshot of shard %s: %w", s.dir, err)
		}
	}
	p := &Snapshot{s: s, Newest: s.mu.newest, held: slices.Clone(s.mu.files), manifest: appendRecord(nil, s.copyLocked())}
	for _, f := range p.held {
		f.hold()
		p.Files = append(p.Files, SnapshotFile{segmentName(f.meta.id), f.meta.size})
	}
	for _, x := range s.mu.indexes {
		p.Files = append(p.Files, SnapshotFile{indexName(x.id), x.size})
	}
	slices.SortFunc(p.Files, func(a, b SnapshotFile) int { return strings.Compare(a.Name, b.Name) })
	s.pins.hold()
	return p, nil
}

// copyLocked gives one record that says all that the manifest says, but for the
// frontier. That is true of all that the shard has, not of what is in files: a
// copy must still take what was only in the log here. That each file was written
// on some frontier stays true. Deletes that are not in the manifest yet were not
// applied in writing a file that is.
func (s *Shard) copyLocked() *edit {
	e := &edit{
		nextID: s.mu.nextID, nextDelete: s.mu.nextDelete,
		addIndexes: s.mu.indexes, applied: s.applied, buried: s.buried,
	}
	if mutant.Is(mutant.SnapshotClaimsLog) {
		e.applied = s.appliedLocked()
	}
	for _, f := range s.mu.files {
		e.addFiles = append(e.addFiles, f.meta)
	}
	for _, t := range s.mu.deletes.all {
		if t.kept && !mutant.Is(mutant.SnapshotWithoutDeletes) {
			e.addDeletes = append(e.addDeletes, t)
		}
	}
	return e
}

// Manifest gives what Install needs besides the files. It must not be changed.
func (p *Snapshot) Manifest() []byte { return p.manifest }

// Open opens one of the files for reading.
func (p *Snapshot) Open(name string) (vfs.File, error) {
	if !slices.ContainsFunc(p.Files, func(f SnapshotFile) bool { return f.Name == name }) {
		return nil, fmt.Errorf("snapshot has no file %q: %w", name, model.ErrNotFound)
	}
	return p.s.fs.Open(p.s.path(name))
}

// Close lets go of the files. It may be called twice.
func (p *Snapshot) Close() error {
	p.once.Do(func() {
		errs := []error{p.s.pins.release(p.s.fs)}
		for _, f := range p.held {
			errs = append(errs, f.release())
		}
		p.closeErr = errors.Join(errs...)
	})
	return p.closeErr
}
