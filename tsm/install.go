package tsm

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/segment"
)

// Install makes a shard of the files of a Snapshot, which the caller has put
// into dir, and nothing else: it verifies every checksum, makes files and
// manifest durable, and only then names the manifest. Afterwards Open opens the
// shard in dir, wherever that has been moved to. A file that is missing or
// damaged, or a damaged manifest, is of kind model.ErrCorrupt, and dir is no
// shard then.
func Install(fsys vfs.FS, dir string, manifest []byte) error {
	if err := install(fsys, dir, manifest); err != nil {
		return fmt.Errorf("install shard in %s: %w", dir, err)
	}
	return nil
}

func install(fsys vfs.FS, dir string, manifest []byte) error {
	payload, ok := nextRecord(manifest)
	if !ok || len(manifest) != recordHeader+len(payload) {
		return fmt.Errorf("manifest of %d bytes: %w", len(manifest), model.ErrCorrupt)
	}
	e, err := decodeEdit(payload)
	if err != nil {
		return err
	}
	if err := e.checkCopy(); err != nil {
		return err
	}
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == logDir || name == currentName || name == durableName {
			return fmt.Errorf("there is %s already: %w", name, model.ErrConflict)
		}
	}
	end := uint32(0)
	for _, f := range e.addIndexes {
		if err := installIndex(fsys, dir, f); err != nil {
			return err
		}
		end = f.end
	}
	for _, f := range e.addFiles {
		if err := installSegment(fsys, dir, f, end); err != nil {
			return err
		}
	}
	if err := fsys.SyncDir(dir); err != nil {
		return err
	}
	m, err := createManifest(fsys, dir, 1, e)
	if err != nil {
		return err
	}
	err = vfs.WriteFile(fsys, path.Join(dir, durableName), m.known.append(nil))
	return errors.Join(err, m.close())
}

// checkCopy finds wrong what no Snapshot says.
func (e *edit) checkCopy() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("manifest: %s: %w", fmt.Sprintf(format, args...), model.ErrCorrupt)
	}
	if e.frontier != 0 || e.applied == nil || len(e.dropFiles)+len(e.dropIndexes)+len(e.dropDeletes) > 0 {
		return bad("not of a snapshot")
	}
	ids := map[uint64]bool{}
	for _, f := range e.addFiles {
		if f.id >= e.nextID || ids[f.id] || f.applied > e.nextDelete {
			return bad("file %d of %d with %d of %d deletes", f.id, e.nextID, f.applied, e.nextDelete)
		}
		ids[f.id] = true
	}
	end := uint32(0)
	for _, x := range e.addIndexes {
		if x.id >= e.nextID || ids[x.id] || x.first != end || x.end < x.first {
			return bad("index file %d of %d with series %d to %d after %d", x.id, e.nextID, x.first, x.end, end)
		}
		ids[x.id] = true
		end = x.end
	}
	numbers := map[uint64]bool{}
	for _, t := range e.addDeletes {
		if t.number >= e.nextDelete || numbers[t.number] || !e.applied.Contains(t.batch) {
			return bad("delete %d of %d", t.number, e.nextDelete)
		}
		numbers[t.number] = true
	}
	return nil
}

// installIndex verifies an index file and makes it durable.
func installIndex(fsys vfs.FS, dir string, meta indexFile) error {
	if err := syncFile(fsys, path.Join(dir, indexName(meta.id)), meta.size); err != nil {
		return err
	}
	f, err := openIndex(fsys, dir, meta, nil)
	if err != nil {
		return err
	}
	return errors.Join(f.Verify(), f.Close())
}

// installSegment verifies a segment file, which has rows of series before end,
// and makes it durable.
func installSegment(fsys vfs.FS, dir string, meta fileMeta, end uint32) error {
	name := path.Join(dir, segmentName(meta.id))
	if err := syncFile(fsys, name, meta.size); err != nil {
		return err
	}
	f, err := openFile(fsys, dir, meta)
	if err != nil {
		return err
	}
	if err = f.err(); err == nil {
		if err = verifySegment(f.r, meta, end); err != nil {
			err = fmt.Errorf("segment file %s: %w", segmentName(meta.id), err)
		}
	}
	return errors.Join(err, f.release())
}

func verifySegment(r *segment.Reader, meta fileMeta, end uint32) error {
	if r.Meta().Versioned != meta.versioned {
		return fmt.Errorf("versions per row: %v, the manifest says %v: %w", r.Meta().Versioned, meta.versioned, model.ErrCorrupt)
	}
	if err := segment.Verify(r); err != nil {
		return err
	}
	for _, name := range r.Measurements() {
		series, err := r.AppendSeries(nil, name)
		if err != nil {
			return err
		}
		if n := len(series); n > 0 && series[n-1] >= end {
			return fmt.Errorf("series %d of %d: %w", series[n-1], end, model.ErrCorrupt)
		}
	}
	return nil
}

// syncFile makes a file that should have size bytes durable.
func syncFile(fsys vfs.FS, name string, size int64) error {
	f, err := fsys.OpenAppend(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: %w", path.Base(name), model.ErrCorrupt)
	}
	if err != nil {
		return err
	}
	got, err := f.Size()
	if err == nil && got != size {
		err = fmt.Errorf("%s has %d bytes, not %d: %w", path.Base(name), got, size, model.ErrCorrupt)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
