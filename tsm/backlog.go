package tsm

import (
	"context"
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// When flushes make files faster than merges take them away, writers are slowed
// down from slowFiles of the lowest level on, and stopped at stopFiles: every
// scan of the shard reads all of these files.
const (
	slowFiles = 24
	stopFiles = 48
	// maxSlowWait is what a batch waits just before writers are stopped.
	maxSlowWait = 200 * time.Millisecond
	// stopPoll is how often a stopped writer looks again.
	stopPoll = 20 * time.Millisecond
)

// countSmallLocked counts the files of the lowest level anew.
func (s *Shard) countSmallLocked() {
	n := int32(0)
	for _, f := range s.mu.files {
		if f.meta.level == 0 && f.err() == nil {
			n++
		}
	}
	s.small.Store(n)
}

// keepPace lets a batch wait that comes while merges are behind, and refuses it
// with model.ErrOverloaded when they do not catch up in time. Without a Worker
// nobody would merge: then the caller knows what it does.
func (s *Shard) keepPace(ctx context.Context) error {
	if s.cfg.Worker == nil || s.small.Load() < slowFiles {
		return nil
	}
	s.metrics.SlowedBatches.Inc()
	wait := stopPoll
	if n := s.small.Load(); n < stopFiles {
		wait = maxSlowWait * time.Duration(n-slowFiles+1) / (stopFiles - slowFiles)
	}
	for waited := time.Duration(0); ; waited += wait {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("write batch: %w: %w", model.ErrOverloaded, ctx.Err())
		}
		n := s.small.Load()
		if n < stopFiles {
			return nil
		}
		if waited >= maxRoomWait {
			s.metrics.Refused.WithLabelValues("backlog").Inc()
			return fmt.Errorf("write batch: %d small files wait to be merged: %w", n, model.ErrOverloaded)
		}
		wait = stopPoll
	}
}
