package tsm

import (
	"errors"
	"fmt"
	"path"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/segment"
)

const (
	segmentSuffix = ".seg"
	indexSuffix   = ".idx"
	tmpSuffix     = ".tmp"
)

func segmentName(id uint64) string { return fmt.Sprintf("%06d%s", id, segmentSuffix) }

func indexName(id uint64) string { return fmt.Sprintf("%06d%s", id, indexSuffix) }

// file is an open segment file, or the segment of a packed memtable, which has
// no name on disk. It is closed, and removed when it is no part of the shard any
// more, once nobody holds it.
type file struct {
	meta fileMeta
	name string
	fs   vfs.FS
	r    *segment.Reader // nil when it could not be opened

	free func() error // gives back the memory of a segment that is no file

	since time.Time // when it was opened, by the shard's clock
	scrub scrubState

	refs    atomic.Int64 // the shard's own and one per Reader
	dropped atomic.Bool  // no part of the shard any more
	damage  struct {
		sync.Mutex
		err error // why the file must not be read; nil when it may
	}
}

// openFile opens a file of the shard. One that is damaged is given too: it is
// quarantined. An error is of kind model.ErrUnavailable: it passes.
func openFile(fs vfs.FS, dir string, meta fileMeta) (*file, error) {
	f := &file{meta: meta, name: path.Join(dir, segmentName(meta.id)), fs: fs}
	f.refs.Store(1)
	r, err := openSegment(fs, f.name)
	if err == nil && r.Meta().Rows != meta.rows {
		r.Close() // it is not written: nothing is lost
		err = fmt.Errorf("%d rows, the manifest says %d: %w", r.Meta().Rows, meta.rows, model.ErrCorrupt)
	}
	switch {
	case err == nil:
		f.r = r
	case isShortage(err):
		return nil, fmt.Errorf("open file %s: %w: %w", segmentName(meta.id), model.ErrUnavailable, err)
	default:
		f.quarantine(err)
	}
	return f, nil
}

// isShortage reports whether err, of opening a file, passes and says nothing of
// the file.
func isShortage(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

func openSegment(fs vfs.FS, name string) (*segment.Reader, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	return segment.Open(f)
}

// quarantine notes that the file is damaged: nothing is read from it any more.
// It reports whether that is news.
func (f *file) quarantine(err error) bool {
	f.damage.Lock()
	defer f.damage.Unlock()
	if f.damage.err != nil {
		return false
	}
	f.damage.err = &damageError{file: path.Base(f.name), err: err}
	return true
}

// err says why the file must not be read.
func (f *file) err() error {
	f.damage.Lock()
	defer f.damage.Unlock()
	return f.damage.err
}

// damageError is of kind model.ErrCorrupt, whatever the cause: also a file
// that is missing.
type damageError struct {
	file string
	err  error
}

func (e *damageError) Error() string { return fmt.Sprintf("file %s is damaged: %v", e.file, e.err) }

func (e *damageError) Unwrap() []error { return []error{model.ErrCorrupt, e.err} }

func (f *file) hold() { f.refs.Add(1) }

// release gives back a hold. The last one closes the file.
func (f *file) release() error {
	if f.refs.Add(-1) > 0 {
		return nil
	}
	var err error
	if f.r != nil {
		err = f.r.Close()
	}
	if f.free != nil {
		return errors.Join(err, f.free())
	}
	if f.dropped.Load() {
		// A file that stays is removed at the next start.
		if rerr := f.fs.Remove(f.name); err == nil {
			err = rerr
		}
	}
	return err
}

// drop ends the shard's own hold, the manifest having let go of the file.
func (f *file) drop() error {
	f.dropped.Store(true)
	return f.release()
}
