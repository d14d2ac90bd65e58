package tsm

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/segment"
)

const (
	// scrubAfter is how long a file may wait for its first scrub: a disk that has
	// lost something is found out soon after a start.
	scrubAfter = 10 * time.Minute
	// scrubEvery is how often a file is read back: often enough for damage to be
	// found while another replica can still mend it.
	scrubEvery = 7 * 24 * time.Hour
	// scrubLook is how often the scrubber looks for files when none is due.
	scrubLook = 10 * time.Second
)

// scrubState is what a Worker knows of a file, in seconds since 1970.
type scrubState struct {
	last atomic.Int64 // when it was read back; 0: not since it was opened
	due  atomic.Int64 // 0: not seen by a Worker yet
}

// noteWritten says that the file was read back just now, by the one that wrote it.
func (x *scrubState) noteWritten() {
	now := time.Now()
	x.last.Store(now.Unix())
	x.due.Store(now.Add(scrubEvery).Unix())
}

// scrub reads back files of open shards one by one, the one that is due for
// longest first, at a rate that is not felt. What it finds damaged is
// quarantined, and the replica built anew from another when there is one.
//
// It sees what readers would see: a page that the system has in memory is not
// read from the disk again.
func (w *Worker) scrub() {
	for {
		s, f := w.nextScrub()
		if f == nil {
			select {
			case <-w.ctx.Done():
				return
			case <-time.After(scrubLook):
				continue
			}
		}
		s.scrub(w.ctx, f)
		if err := f.release(); err != nil {
			s.log.Warn("cannot remove file", "dir", s.dir, "err", err)
		}
		if w.ctx.Err() != nil {
			return
		}
	}
}

// nextScrub gives the file that is due for longest, held, or nil. A file that is
// seen for the first time becomes due within scrubAfter, at random, for many are
// opened at once.
func (w *Worker) nextScrub() (shard *Shard, next *file) {
	now := time.Now().Unix()
	first, oldest := now+1, now
	for _, s := range w.all() {
		s.mu.Lock()
		for _, f := range s.usableLocked() {
			if f.scrub.due.Load() == 0 {
				f.scrub.due.Store(now + 1 + rand.Int64N(int64(scrubAfter/time.Second)))
			}
			oldest = min(oldest, f.scrub.last.Load())
			if due := f.scrub.due.Load(); due < first {
				shard, next, first = s, f, due
			}
		}
		s.mu.Unlock()
	}
	w.metrics.OldestScrub.Set(float64(oldest))
	if next == nil {
		return nil, nil
	}
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if !slices.Contains(shard.mu.files, next) {
		return nil, nil // it has gone meanwhile; the next look finds another
	}
	next.hold()
	return shard, next
}

// scrub verifies a file.
func (s *Shard) scrub(ctx context.Context, f *file) {
	f.scrub.due.Store(time.Now().Add(scrubEvery).Unix()) // whatever comes of it
	err := segment.Scrub(f.r, func(bytes int64) error {
		if s.closing.Load() || f.dropped.Load() {
			return errClosed
		}
		s.metrics.ScrubbedBytes.Add(float64(bytes))
		return s.cfg.Worker.yield(ctx, scrubWork, bytes)
	})
	switch {
	case errors.Is(err, model.ErrCorrupt):
		if f.quarantine(err) {
			s.reportDamage(f)
		}
	case err == nil:
		f.scrub.last.Store(time.Now().Unix())
		s.metrics.ScrubbedFiles.Inc()
	case !isPassing(err):
		s.log.Warn("scrub failed", "dir", s.dir, "err", err)
	}
}
