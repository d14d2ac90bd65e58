package tsm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/index"
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
// quarantined, and the replica built anew from another when there is one. The
// index files of a shard are one of them: they are mended from themselves where
// that can be.
//
// It sees what readers would see: a page that the system has in memory is not
// read from the disk again.
func (w *Worker) scrub() {
	for {
		s, f := w.nextScrub()
		if s == nil {
			select {
			case <-w.ctx.Done():
				return
			case <-time.After(scrubLook):
				continue
			}
		}
		if f == nil {
			s.scrubIndex(w.ctx)
		} else {
			s.scrub(w.ctx, f)
			if err := f.release(); err != nil {
				s.log.Warn("cannot remove file", "dir", s.dir, "err", err)
			}
		}
		s.background.Done()
		if w.ctx.Err() != nil {
			return
		}
	}
}

// nextScrub gives the file that is due for longest, held, or none for the index
// of a shard, or no shard; the shard's background is waited for until Done. A file that is seen for the first time becomes due
// within scrubAfter, at random, for many are opened at once.
func (w *Worker) nextScrub() (shard *Shard, next *file) {
	now := time.Now().Unix()
	first, oldest := now+1, now
	look := func(s *Shard, f *file, x *scrubState) {
		if x.due.Load() == 0 {
			x.due.Store(now + 1 + rand.Int64N(int64(scrubAfter/time.Second)))
		}
		oldest = min(oldest, x.last.Load())
		if due := x.due.Load(); due < first {
			shard, next, first = s, f, due
		}
	}
	for _, s := range w.all() {
		s.mu.Lock()
		for _, f := range s.usableLocked() {
			look(s, f, &f.scrub)
		}
		if len(s.mu.indexes) > 0 {
			look(s, nil, &s.indexScrub)
		}
		s.mu.Unlock()
	}
	w.metrics.OldestScrub.Set(float64(oldest))
	if shard == nil {
		return nil, nil
	}
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.closing.Load() || next != nil && !slices.Contains(shard.mu.files, next) {
		return nil, nil // it has gone meanwhile; the next look finds another
	}
	// Close waits: a file is removed by its name, which a copy of the shard that
	// is put in its place may have, too.
	shard.background.Add(1)
	if next != nil {
		next.hold()
	}
	return shard, next
}

// scrub verifies a file.
func (s *Shard) scrub(ctx context.Context, f *file) {
	f.scrub.due.Store(time.Now().Add(scrubEvery).Unix()) // whatever comes of it
	err := segment.Scrub(f.r, func(bytes int64) error {
		if f.dropped.Load() {
			return errClosed
		}
		return s.scrubStep(ctx, bytes)
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

// scrubStep waits until so many bytes may be read back.
func (s *Shard) scrubStep(ctx context.Context, bytes int64) error {
	if s.closing.Load() {
		return errClosed
	}
	s.metrics.ScrubbedBytes.Add(float64(bytes))
	return s.cfg.Worker.yield(ctx, scrubWork, bytes)
}

// scrubIndex holds the index files against each other and against the series of
// the segment files, and writes anew those that could be mended.
func (s *Shard) scrubIndex(ctx context.Context) {
	s.indexScrub.due.Store(time.Now().Add(scrubEvery).Unix())
	known := s.index.Damage()
	err := s.checkIndex(ctx)
	if err == nil {
		err = s.compactIndex(ctx)
	}
	switch damage := s.index.Damage(); {
	case damage != nil && known == nil:
		s.metrics.QuarantinedFiles.Inc()
		s.log.Error("index is damaged", "dir", s.dir, "err", damage)
	case damage != nil:
	case err == nil:
		s.indexScrub.last.Store(time.Now().Unix())
		s.metrics.ScrubbedFiles.Inc()
	case !isPassing(err):
		s.log.Warn("scrub of the index failed", "dir", s.dir, "err", err)
	}
}

// checkIndex checks the index files, and that they have the series that are in
// segment files. A segment file with others cannot be told to be right.
func (s *Shard) checkIndex(ctx context.Context) (err error) {
	r, err := s.Reader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.index.Check(func(bytes int64) error { return s.scrubStep(ctx, bytes) }); err != nil {
		return err
	}
	for _, f := range r.files {
		if f.r == nil || f.free != nil || f.err() != nil {
			continue // damaged, or in memory
		}
		err := s.checkSeries(ctx, r.index, f)
		if errors.Is(err, model.ErrCorrupt) && s.index.Damage() == nil {
			if f.quarantine(err) {
				s.reportDamage(f)
			}
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkSeries reports a series of a file that the index does not know.
func (s *Shard) checkSeries(ctx context.Context, v *index.View, f *file) error {
	for _, name := range f.r.Measurements() {
		series, err := f.r.AppendSeries(nil, name)
		if err != nil {
			return err
		}
		if err := s.scrubStep(ctx, int64(4*len(series))); err != nil {
			return err
		}
		id, lacks, err := v.Lacks(name, series)
		if err != nil {
			return err
		}
		if lacks {
			return fmt.Errorf("series %d of measurement %q is not in the index: %w", id, name, model.ErrCorrupt)
		}
	}
	return nil
}
