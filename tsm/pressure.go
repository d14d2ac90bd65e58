package tsm

import (
	"context"
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

const (
	// maxRoomWait is how long a write waits for memory to be given back before it
	// is refused: long enough for a small flush, too short for a client to give
	// up in between.
	maxRoomWait = 2 * time.Second
	// maxMemoryWait is what a batch waits just before there is no memory left.
	maxMemoryWait = 100 * time.Millisecond
)

// waitForRoom lets a batch wait that comes while the memtables are filled faster
// than they are packed and flushed: not at all up to half of what they may hold,
// then the longer the more there is, so that writers come down to the speed of
// the disk instead of being refused; when there is no room left, until there is,
// for a while. It asks the Worker for what is due.
func (s *Shard) waitForRoom(ctx context.Context) error {
	w := s.cfg.Worker
	s.mu.Lock()
	used, room := s.memoryLocked(), s.mu.room
	pack, flush := s.mu.active.bytes() >= s.cfg.PackBytes, s.fullLocked() || s.indexDueLocked()
	s.mu.Unlock()
	if w == nil {
		if used >= s.cfg.MaxMemoryBytes {
			return s.overloaded(used) // nobody would give memory back
		}
		return nil
	}
	if pack {
		w.enqueue(s, packWork)
	}
	if flush {
		w.enqueue(s, flushWork)
	}
	wait := memoryWait(used, s.cfg.MaxMemoryBytes)
	if wait == 0 {
		return nil
	}
	s.metrics.SlowedBatches.Inc()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-room:
		case <-timer.C:
			if wait < maxRoomWait {
				return nil
			}
			return s.overloaded(used)
		case <-ctx.Done():
			return fmt.Errorf("write batch: %w: %w", model.ErrOverloaded, ctx.Err())
		}
		s.mu.Lock()
		used, room = s.memoryLocked(), s.mu.room
		s.mu.Unlock()
		if used < s.cfg.MaxMemoryBytes {
			return nil
		}
	}
}

// memoryWait gives how long a batch waits with so much of the memory in use.
func memoryWait(used, most int64) time.Duration {
	switch free := most - used; {
	case free <= 0:
		return maxRoomWait
	case free >= most/2:
		return 0
	default:
		over := 1 - float64(free)/float64(most/2)
		return time.Duration(over * over * float64(maxMemoryWait))
	}
}

func (s *Shard) overloaded(used int64) error {
	s.metrics.Refused.WithLabelValues("overloaded").Inc()
	return fmt.Errorf("write batch: memtables hold %d of %d bytes: %w", used, s.cfg.MaxMemoryBytes, model.ErrOverloaded)
}
