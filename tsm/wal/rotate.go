package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/varvedb/varve/model"
)

// Rotate ends the file that is appended to, makes it durable, and gives the id
// of the last file that is closed: batches appended before are in files up to
// it, later ones are not. The new file is made by the next Append.
func (l *Log) Rotate() (FileID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waitIdleLocked()
	if err := l.usableLocked(); err != nil {
		return 0, err
	}
	if !l.mu.tail.empty() {
		if err := l.rotateLocked(); err != nil {
			return 0, err
		}
	}
	return l.mu.tail.id - 1, nil
}

// rotateLocked closes the tail, which has batches and is not being synced. It is durable before a later
// file exists: a file that others follow has no torn end. mu is held across the
// sync, because whoever appends now would wait for the next file anyway.
func (l *Log) rotateLocked() error {
	if err := l.syncTailLocked(); err != nil {
		return err
	}
	t := &l.mu.tail
	if t.file != nil {
		if err := t.file.Close(); err != nil {
			return l.failLocked(fmt.Errorf("close log file: %w", err))
		}
	}
	l.mu.closed[t.id] = closedFile{size: t.size, has: t.has}
	*t = tail{id: t.id + 1}
	return nil
}

// Trim removes the closed files up to through, the oldest first and each
// durably, so that no gap can appear between files. The newest id survives
// in an empty file, so that no id is used twice.
func (l *Log) Trim(through FileID) error {
	l.trim.Lock()
	defer l.trim.Unlock()
	ids, err := l.trimmable(through)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if i == len(ids)-1 {
			// Not before, so that on a full disk the others make room for it.
			if err := l.keepID(id); err != nil {
				return err
			}
		}
		if err := l.fs.Remove(l.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("trim log: %w", err)
		}
		if err := l.fs.SyncDir(l.dir); err != nil {
			return fmt.Errorf("trim log: %w", err)
		}
		l.mu.Lock()
		delete(l.mu.closed, id)
		l.mu.Unlock()
		l.cfg.Metrics.FilesTrimmed.Inc()
	}
	return nil
}

// trimmable gives the closed files up to through in order.
func (l *Log) trimmable(through FileID) ([]FileID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.mu.err, model.ErrClosed) {
		return nil, l.mu.err
	}
	ids := slices.Sorted(maps.Keys(l.mu.closed))
	n, found := slices.BinarySearch(ids, through)
	if found {
		n++
	}
	return ids[:n], nil
}

// keepID makes the file of the tail, whose name keeps the newest id, when last,
// which is to be removed, is the only file there is.
func (l *Log) keepID(last FileID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &l.mu.tail
	if t.made || t.id != last+1 {
		return nil
	}
	if err := l.usableLocked(); err != nil {
		return err
	}
	if err := l.createTailLocked(); err != nil {
		return err
	}
	err := t.file.Close()
	t.file = nil // a shard at rest holds no descriptor
	if err != nil {
		return l.failLocked(fmt.Errorf("close log file: %w", err))
	}
	return nil
}
