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
	idle := now.Sub(s.mu.lastWrite)
	over := s.cfg.End != 0 && now.UnixNano() >= s.cfg.End && idle >= coldAfter
	unkept := slices.ContainsFunc(s.mu.deletes.all, func(t *tombstone) bool { return !t.kept })
	hot := !s.mu.active.empty() || unkept
	if len(s.mu.sealed) > 0 || s.mu.active.bytes >= s.cfg.FlushBytes || hot && (over || idle >= s.cfg.FlushAge) {
		d[flushWork] = max(1, s.memoryLocked())
	}
	if over && !hot {
		d[coldWork] = s.coldBytesLocked()
	}
	if d[coldWork] == 0 {
		d[mergeWork] = int64(len(s.tierLocked()))
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

// maintain does what is due of one kind of work.
func (s *Shard) maintain(ctx context.Context, kind work) error {
	if s.due()[kind] == 0 {
		return nil
	}
	switch kind {
	case flushWork:
		return s.Flush(ctx)
	case mergeWork:
		return s.compactTier(ctx)
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
	flushWork: 5 * time.Second, mergeWork: 15 * time.Second, applyWork: time.Minute, coldWork: time.Minute,
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
