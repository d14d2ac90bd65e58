package wal

import (
	"errors"
	"fmt"
	"path"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// Record is what Inspect finds in a file of a log.
type Record struct {
	Offset, Bytes int64 // of the whole record
	Synced        int64 // the length up to which the file was durable when it was written
	LSN           LSN   // of a batch
	Batch         *model.Batch
	End           bool  // the log was closed here
	Err           error // damage: these bytes are no record, or its batch cannot be read
}

// Inspected is a file of a log as a whole.
type Inspected struct {
	ID    FileID
	First LSN // of the file's first batch
	Bytes int64
	// Torn is the bytes at the end that are no record and that a crash may leave:
	// none of them was acknowledged, and Open cuts them off.
	Torn int64
}

// Files gives the paths of the files of the log in dir, oldest first.
func Files(fs vfs.FS, dir string) ([]string, error) {
	l := &Log{fs: fs, dir: dir}
	ids, err := l.files()
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = l.path(id)
	}
	return names, err
}

// Inspect reads one file of a log without changing it, and hands on each
// record. After damage it goes on with the next record that is whole. A batch
// is given with the keys that it brought into the file; it may be kept. Memory
// is bounded by one batch. An error of each ends it.
func Inspect(fs vfs.FS, name string, each func(Record) error) (in Inspected, err error) {
	f, err := fs.Open(name)
	if err != nil {
		return in, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if in.Bytes, err = f.Size(); err != nil {
		return in, err
	}
	// Which files come later is asked after the size: a file is whole before the
	// next one is made.
	last, err := isLast(fs, name)
	if err != nil {
		return in, err
	}
	r := &reader{file: f, size: in.Bytes}
	if err := r.readHeader(); err != nil {
		return in, err
	}
	in.ID, in.First = r.header.id, r.header.first
	for next := in.First; r.at < r.size; {
		at := r.at
		h, payload, err := r.next()
		if err != nil {
			return in, err
		}
		rec := Record{Offset: at, Bytes: r.at - at, Synced: h.synced}
		switch {
		case payload == nil:
			err := r.judgeDamage(last)
			if err == nil {
				in.Torn = r.size - r.at
				return in, nil
			}
			if !errors.Is(err, model.ErrCorrupt) {
				return in, err
			}
			if err := r.skip(); err != nil {
				return in, err
			}
			rec.Bytes, rec.Err = r.at-at, fmt.Errorf("no record: %w", model.ErrCorrupt)
		case h.kind == recordEnd:
			rec.End = true
		case h.kind == recordBatch:
			rec.LSN = next
			next++
			rec.Batch, rec.Err = model.DecodeBatch(payload)
		default:
			rec.Err = fmt.Errorf("record of type %d: %w", h.kind, model.ErrCorrupt)
		}
		if err := each(rec); err != nil {
			return in, err
		}
	}
	return in, nil
}

// skip goes to the next whole record, or to the end.
func (r *reader) skip() error {
	at, err := r.find(r.at+1, func(recordHeader) bool { return true })
	if err != nil {
		return err
	}
	if r.at = at; at < 0 {
		r.at = r.size
	}
	return nil
}

// isLast reports whether no later file lies beside the one of that name.
func isLast(fs vfs.FS, name string) (bool, error) {
	id, ok := parseFileName(path.Base(name))
	if !ok {
		return true, nil
	}
	ids, err := (&Log{fs: fs, dir: path.Dir(name)}).files()
	return len(ids) == 0 || ids[len(ids)-1] <= id, err
}
