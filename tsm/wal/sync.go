package wal

import (
	"errors"
	"fmt"
	"time"

	"github.com/varvedb/varve/internal/invariant"
	"github.com/varvedb/varve/internal/vfs"
)

// Sync returns when all batches up to upTo are durable. One caller syncs for
// all that wait; who comes while it does is covered by the next sync. There is
// no timer: alone, a caller syncs at once.
//
// A failed sync is never tried again, because the kernel may have dropped what
// could not be written: the log takes nothing more and says ErrReadOnly. What
// the sync should have made durable is cut off, as far as possible, so that
// nobody reads it back.
func (l *Log) Sync(upTo LSN) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.mu.synced < upTo {
		switch {
		case l.mu.err != nil:
			return l.mu.err
		case upTo > l.mu.last:
			return fmt.Errorf("sync log up to batch %d of %d", upTo, l.mu.last)
		case l.mu.syncing:
			l.mu.idle.Wait()
		default:
			l.leadSyncLocked()
		}
	}
	return nil
}

// leadSyncLocked syncs the tail for all callers, giving mu away meanwhile: the
// tail may grow, but is not replaced while syncing is set.
func (l *Log) leadSyncLocked() {
	last, size, file := l.mu.last, l.mu.tail.size, l.mu.tail.file
	l.mu.syncing = true
	l.mu.Unlock()
	err := l.timedSync(file)
	l.mu.Lock()
	l.mu.syncing = false
	l.mu.idle.Broadcast()
	l.syncedLocked(last, size, err)
}

// syncedLocked notes the outcome of a sync of the tail.
func (l *Log) syncedLocked(last LSN, size int64, err error) {
	t := &l.mu.tail
	if err != nil {
		l.failLocked(errors.Join(fmt.Errorf("sync log: %w", err), cutBack(t.file, t.synced)))
		return
	}
	l.mu.synced = max(l.mu.synced, last)
	t.synced = max(t.synced, size)
}

// waitIdleLocked waits for a running sync, giving mu away.
func (l *Log) waitIdleLocked() {
	for l.mu.syncing {
		l.mu.idle.Wait()
	}
}

// syncTailLocked syncs the tail, holding mu; no other sync is running.
func (l *Log) syncTailLocked() error {
	invariant.Check(!l.mu.syncing, "two syncs of one log")
	if l.mu.err != nil {
		return l.mu.err
	}
	if t := &l.mu.tail; t.synced < t.size {
		l.syncedLocked(l.mu.last, t.size, l.timedSync(t.file))
	}
	return l.mu.err
}

func (l *Log) timedSync(f vfs.File) error {
	start := time.Now()
	err := f.Sync()
	l.cfg.Metrics.Syncs.Inc()
	l.cfg.Metrics.SyncSeconds.Observe(time.Since(start).Seconds())
	if err != nil {
		l.cfg.Metrics.SyncFailures.Inc()
	}
	return err
}
