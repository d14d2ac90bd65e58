package tsm

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
)

// due says how much of each kind of work the shard needs by now; 0 is none.
type due [works]int64

// due is cheap: it is asked for every shard of a node each second.
func (s *Shard) due() (d due) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.mu.closed {
		return d
	}
	if s.mu.active.bytes() >= s.cfg.PackBytes {
		d[packWork] = s.mu.active.bytes()
	}
	if s.flushDueLocked(now) || s.indexDueLocked() {
		d[flushWork] = max(1, s.memoryLocked())
	}
	if s.overLocked(now) && !s.hotLocked() {
		d[coldWork] = s.coldBytesLocked()
	}
	if d[coldWork] == 0 {
		d[mergeWork] = int64(len(s.tierLocked()) + len(s.indexRunLocked()))
		if len(s.hiddenLocked()) > 0 {
			d[applyWork] = 1
		}
	}
	for kind := range d {
		if now.Before(s.mu.retryAt[kind]) {
			d[kind] = 0
		}
		s.backlog[kind].Store(d[kind])
	}
	return d
}

// overLocked reports whether the shard's time is over, and nothing comes any more.
func (s *Shard) overLocked(now time.Time) bool {
	return s.cfg.End != 0 && now.UnixNano() >= s.cfg.End && now.Sub(s.mu.lastWrite) >= coldAfter
}

// hotLocked reports whether there is something that is only in the log.
func (s *Shard) hotLocked() bool {
	return !s.mu.active.empty() || len(s.mu.sealed) > 0 ||
		slices.ContainsFunc(s.mu.deletes.all, func(t *tombstone) bool { return !t.kept })
}

// flushDueLocked reports whether the memtables should be flushed, or a flush is
// under way or has failed.
func (s *Shard) flushDueLocked(now time.Time) bool {
	return len(s.mu.sealed) > 0 && s.mu.sealed[0].flushing() || s.fullLocked() ||
		s.hotLocked() && (s.overLocked(now) || now.Sub(s.mu.lastWrite) >= s.cfg.FlushAge)
}

// fullLocked reports whether what is in memory, besides what is being flushed,
// is enough for a file, or the log that goes with it too long.
func (s *Shard) fullLocked() bool {
	n := s.mu.active.bytes()
	for _, m := range s.mu.sealed {
		if !m.flushing() {
			n += m.bytes()
		}
	}
	return n >= s.cfg.FlushBytes || s.wal.Appended()-s.mu.sealedLog >= s.cfg.FlushLogBytes
}

// maintain does what is due of one kind of work.
func (s *Shard) maintain(ctx context.Context, kind work) error {
	if s.due()[kind] == 0 {
		return nil
	}
	switch kind {
	case packWork:
		return s.Pack()
	case flushWork:
		s.mu.Lock()
		rows := s.flushDueLocked(s.now())
		s.mu.Unlock()
		if rows {
			return s.flushUnlessOther(ctx)
		}
		return s.flushIndex() // the rows may wait
	case mergeWork:
		return errors.Join(s.compactIndex(ctx), s.compactTier(ctx))
	case applyWork:
		return s.applyDeletes(ctx)
	default:
		return s.Compact(ctx)
	}
}

// retryAfter is how long the Worker waits after a failure before it does the
// same kind of work on a shard again: writes may wait for a flush, nobody waits
// for a rewrite, which may have read and written a lot before it failed.
var retryAfter = [works]time.Duration{
	packWork: time.Second, flushWork: 5 * time.Second, mergeWork: 15 * time.Second, applyWork: time.Minute, coldWork: time.Minute,
}

func (s *Shard) putOff(kind work) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.retryAt[kind] = s.now().Add(retryAfter[kind])
}

// isPassing reports whether err says that the shard is going away, not that
// something is wrong.
func isPassing(err error) bool {
	return errors.Is(err, model.ErrClosed) || errors.Is(err, context.Canceled)
}
