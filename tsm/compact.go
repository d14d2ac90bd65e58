package tsm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
)

// maxCompactFiles bounds the files that one compaction reads at a time.
const maxCompactFiles = 32

// A shard that was rewritten whole and has got more rows since is rewritten
// again only when these make up a tenth of it or are in too many files: a trickle
// of late points must not move all of it each time.
const (
	maxColdFiles   = 8
	coldGrowthPart = 10
)

// coldAfter is how long a shard whose time is over must have been idle before
// it is rewritten whole.
const coldAfter = 10 * time.Second

// Compact rewrites all files as one: overwritten and deleted rows are gone
// afterwards, and versions where nothing can compete any more. It does nothing
// when that is so already. Readers go on reading what they have.
func (s *Shard) Compact(ctx context.Context) error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	if err := s.compact(ctx, s.pickAll()); err != nil {
		return err
	}
	return s.forgetDeletes()
}

// forgetDeletes drops deletes that hide nothing any more, if there are such.
func (s *Shard) forgetDeletes() error {
	s.installing.Lock()
	defer s.installing.Unlock()
	s.mu.Lock()
	idle := len(s.idleDeletesLocked(&edit{})) > 0
	s.mu.Unlock()
	if !idle {
		return nil
	}
	return s.commit(&edit{})
}

// compactTier merges some files of about one size, if there are enough.
// Versions decide between rows, so any files may be merged, in any order.
func (s *Shard) compactTier(ctx context.Context) error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	return s.compact(ctx, s.pickTier())
}

// pickAll gives all files, or none when they are one that has nothing to lose.
func (s *Shard) pickAll() []*file {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := s.usableLocked()
	if len(files) == 1 && !s.worthRewritingLocked(files[0]) {
		return nil
	}
	return files
}

// worthRewritingLocked reports whether the only file that can be read would
// lose its versions or rows.
func (s *Shard) worthRewritingLocked(f *file) bool {
	alone := len(s.mu.files) == 1 && len(s.memtablesLocked()) == 0
	return alone && f.meta.versioned && f.meta.high.HLC < s.frontierLocked() ||
		slices.ContainsFunc(s.mu.deletes, func(t *tombstone) bool { return t.coversFile(&f.meta) != coversNone })
}

// worthMergingLocked reports whether all files that can be read, of a shard whose
// time is over, should become one.
func (s *Shard) worthMergingLocked(files []*file) bool {
	if len(files) < 2 {
		return len(files) == 1 && s.worthRewritingLocked(files[0])
	}
	var total, largest int64
	deleted := false
	for _, f := range files {
		total += f.meta.size
		largest = max(largest, f.meta.size)
		deleted = deleted || slices.ContainsFunc(s.mu.deletes, func(t *tombstone) bool { return t.coversFile(&f.meta) != coversNone })
	}
	return deleted || len(files) > maxColdFiles || (total-largest)*coldGrowthPart >= total
}

// usableLocked gives the files that may be read.
func (s *Shard) usableLocked() []*file {
	return slices.DeleteFunc(slices.Clone(s.mu.files), func(f *file) bool { return f.err() != nil })
}

// pickTier gives the files of the lowest level that has enough of them.
func (s *Shard) pickTier() []*file {
	s.mu.Lock()
	defer s.mu.Unlock()
	levels := map[uint8][]*file{}
	lowest := -1
	for _, f := range s.usableLocked() {
		l := f.meta.level
		levels[l] = append(levels[l], f)
		if len(levels[l]) >= s.cfg.CompactFiles && (lowest < 0 || int(l) < lowest) {
			lowest = int(l)
		}
	}
	if lowest < 0 {
		return nil
	}
	files := levels[uint8(lowest)]
	slices.SortFunc(files, func(a, b *file) int { return cmp.Compare(a.meta.times.Min, b.meta.times.Min) })
	return files[:min(len(files), maxCompactFiles)]
}

func (s *Shard) compact(ctx context.Context, files []*file) error {
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return errClosed
	}
	if len(files) == 0 {
		s.mu.Unlock()
		return nil
	}
	w := s.planLocked(files, nil)
	s.mu.Unlock()
	if err := s.checkRoom(files); err != nil {
		return fmt.Errorf("compact shard: %w", errors.Join(err, w.view.Close()))
	}
	start := time.Now()
	f, err := w.run(ctx, s)
	if err = errors.Join(err, w.view.Close()); err != nil {
		return fmt.Errorf("compact shard: %w", err)
	}
	if err := s.install(&edit{}, f, files, nil); err != nil {
		return fmt.Errorf("compact shard: %w", err)
	}
	size := int64(0)
	if f != nil {
		size = f.meta.size
	}
	s.metrics.Compactions.Inc()
	s.metrics.CompactionBytes.Add(float64(size))
	s.metrics.RewriteSeconds.WithLabelValues("compaction").Observe(time.Since(start).Seconds())
	s.log.Info("compacted files", "dir", s.dir, "files", len(files), "rows", w.rows, "bytes", size, "took", time.Since(start))
	return nil
}

// checkRoom refuses to write files anew when that could take of the disk what is
// kept back for deletes: for a while both are there.
func (s *Shard) checkRoom(files []*file) error {
	if s.cfg.ReservedBytes == 0 {
		return nil
	}
	need := s.cfg.ReservedBytes
	for _, f := range files {
		need += uint64(f.meta.size)
	}
	free, err := s.fs.Free(s.dir)
	if err == nil && free < need {
		err = fmt.Errorf("disk has %d bytes free, %d are needed", free, need)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", model.ErrUnavailable, err)
	}
	return nil
}

// due says what the shard needs by now.
type due struct {
	flush, tier, cold bool
}

// due is cheap: it is asked for every shard of a node each second.
func (s *Shard) due() due {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.mu.closed {
		return due{}
	}
	idle := now.Sub(s.mu.lastWrite)
	over := s.cfg.End != 0 && now.UnixNano() >= s.cfg.End && idle >= coldAfter
	unkept := slices.ContainsFunc(s.mu.deletes, func(t *tombstone) bool { return !t.kept })
	hot := !s.mu.active.empty() || unkept
	d := due{flush: len(s.mu.sealed) > 0 || s.mu.active.bytes >= s.cfg.FlushBytes || hot && (over || idle >= s.cfg.FlushAge)}
	levels := map[uint8]int{}
	for _, f := range s.mu.files {
		if f.err() == nil {
			levels[f.meta.level]++
			d.tier = d.tier || levels[f.meta.level] >= s.cfg.CompactFiles
		}
	}
	if over && !hot {
		d.cold = s.worthMergingLocked(s.usableLocked())
	}
	if now.Before(s.mu.retryAt[flushWork]) {
		d.flush = false
	}
	if now.Before(s.mu.retryAt[compactWork]) {
		d.tier, d.cold = false, false
	}
	return d
}

// maintain does what is due of one kind of work.
func (s *Shard) maintain(ctx context.Context, kind work) error {
	switch d := s.due(); {
	case kind == flushWork && d.flush:
		return s.Flush(ctx)
	case kind == compactWork && d.cold:
		return s.Compact(ctx)
	case kind == compactWork && d.tier:
		return s.compactTier(ctx)
	}
	return nil
}

// retryAfter is how long the Worker waits after a failure before it does the
// same kind of work on a shard again: writes may wait for a flush, nobody waits
// for a compaction, which may have read and written a lot before it failed.
var retryAfter = [...]time.Duration{flushWork: 5 * time.Second, compactWork: time.Minute}

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
