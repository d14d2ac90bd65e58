package parking

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

const fileSuffix = ".parked"

func fileName(n uint64) string { return fmt.Sprintf("%016x%s", n, fileSuffix) }

// replay reads all files, oldest first.
func (l *Log) replay() error {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return err
	}
	for _, name := range names { // in the order of their numbers
		if !strings.HasSuffix(name, fileSuffix) {
			continue
		}
		b, err := vfs.ReadFile(l.fs, path.Join(l.dir, name), maxFileBytes)
		if err != nil {
			return err
		}
		f := &file{name: name, size: int64(len(b))}
		l.mu.files = append(l.mu.files, f)
		if good := l.replayFile(f, b); good < len(b) {
			// The end of a file that a crash has cut, whose records nobody was
			// told of. What follows a damaged record cannot be told from that.
			l.log.Warn("parked batches end in the middle of a file", "file", name, "read", good, "bytes", len(b))
		}
	}
	// What was replayed may not be durable yet when the process was killed and
	// the machine was not: it counts only once it is.
	for _, f := range l.mu.files {
		if err := l.syncFile(f.name); err != nil {
			return err
		}
	}
	return l.trim()
}

// maxFileBytes bounds a file that is read: one record may reach beyond
// Config.FileBytes.
const maxFileBytes = 4 << 30

// replayFile gives how many bytes of a file could be read.
func (l *Log) replayFile(f *file, b []byte) (good int) {
	if !strings.HasPrefix(string(b[:min(len(b), len(fileMagic))]), fileMagic) {
		return 0
	}
	for good = len(fileMagic); good < len(b); {
		r, n, err := cutRecord(b[good:])
		if err != nil {
			return good
		}
		l.mu.last = max(l.mu.last, r.id)
		switch p := l.mu.pending[r.id]; {
		case r.kind == kindEntry && p == nil:
			f.live++
			l.addLocked(r.id, &pending{file: f, offset: int64(good), size: n, parked: r.parked, place: r.place})
		case r.kind == kindStamp && p != nil:
			p.stamp = r.stamp
		case r.kind == kindDone:
			l.removeLocked(r.id)
		}
		good += n
	}
	return good
}

func (l *Log) syncFile(name string) error {
	f, err := l.fs.OpenAppend(path.Join(l.dir, name))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// appendLocked writes a record, and says where. After a failure the next record
// goes into another file: it could not be read behind half a record.
func (l *Log) appendLocked(r *record) (f *file, offset int64, size int, err error) {
	if l.mu.closed {
		return nil, 0, 0, model.ErrClosed
	}
	if l.mu.writer != nil && l.mu.files[len(l.mu.files)-1].size >= l.cfg.FileBytes {
		if err := l.endFileLocked(); err != nil {
			return nil, 0, 0, err
		}
	}
	if l.mu.writer == nil {
		if err := l.beginFileLocked(); err != nil {
			return nil, 0, 0, err
		}
	}
	b := r.append(nil)
	f = l.mu.files[len(l.mu.files)-1]
	n, err := l.mu.writer.Write(b)
	offset = f.size
	f.size += int64(n)
	if err != nil {
		l.breakFileLocked()
		return nil, 0, 0, err
	}
	if r.kind == kindEntry {
		f.live++ // before it is durable, so that the file stays
	}
	return f, offset, n, nil
}

// beginFileLocked makes the next file durable, but for what will be in it.
func (l *Log) beginFileLocked() error {
	n := uint64(1)
	if len(l.mu.files) > 0 {
		if _, err := fmt.Sscanf(l.mu.files[len(l.mu.files)-1].name, "%x", &n); err != nil {
			return fmt.Errorf("name of %s: %w", l.mu.files[len(l.mu.files)-1].name, model.ErrCorrupt)
		}
		n++
	}
	name := fileName(n)
	w, err := l.fs.Create(path.Join(l.dir, name))
	if err != nil {
		return err
	}
	if _, err = w.Write([]byte(fileMagic)); err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		return errors.Join(err, w.Close(), l.fs.Remove(path.Join(l.dir, name)))
	}
	l.mu.files = append(l.mu.files, &file{name: name, size: int64(len(fileMagic))})
	l.mu.writer = w
	return nil
}

// endFileLocked ends the file that is appended to.
func (l *Log) endFileLocked() error {
	err := l.mu.writer.Sync()
	if err != nil {
		l.breakFileLocked()
		return err
	}
	f := l.mu.files[len(l.mu.files)-1]
	f.synced = f.size
	err = l.mu.writer.Close()
	l.mu.writer = nil
	return err
}

// breakFileLocked appends to another file from now on: nothing may be assumed
// of what was written last.
func (l *Log) breakFileLocked() {
	_ = l.mu.writer.Close() // the failure before says more
	l.mu.writer = nil
}

// sync makes a file durable up to a size. What is not durable of a file that
// broke never will be: that is an error to all who wait.
func (l *Log) sync(f *file, upTo int64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	w, size := l.mu.writer, f.size
	switch {
	case f.synced >= upTo:
		l.mu.Unlock()
		return nil
	case w == nil || l.mu.files[len(l.mu.files)-1] != f:
		l.mu.Unlock()
		return errBroken
	}
	l.mu.Unlock()
	err := w.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case f.synced >= upTo: // the file was ended, durable, meanwhile
		return nil
	case err != nil:
		if l.mu.writer == w {
			l.breakFileLocked()
		}
		return err
	case l.mu.writer != w:
		return errBroken
	}
	f.synced = max(f.synced, size)
	return nil
}

var errBroken = fmt.Errorf("parking log: a file could not be written: %w", model.ErrUnavailable)

// trim removes the oldest files in which nothing is pending. A younger one may
// have the stamp of an entry in an older one, so they go one after the other.
func (l *Log) trim() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.files) > 0 && l.mu.files[0].live == 0 && (len(l.mu.files) > 1 || l.mu.writer == nil) {
		if err := l.fs.Remove(path.Join(l.dir, l.mu.files[0].name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := l.fs.SyncDir(l.dir); err != nil {
			return err
		}
		l.mu.files = l.mu.files[1:]
	}
	return nil
}
