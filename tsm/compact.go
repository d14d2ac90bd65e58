package tsm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// coldLevel is that of files that were written to be kept: with all deletes and
// overwrites applied and the most effort to be small. They are in no tier.
const coldLevel = 255

// Compact rewrites all files as one, made to be kept: overwritten and deleted
// rows are gone afterwards, and versions where nothing can compete any more. It
// does nothing when that is so already. Readers go on reading what they have.
func (s *Shard) Compact(ctx context.Context) error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	if err := s.compact(ctx, coldWork, s.allLocked); err != nil {
		return err
	}
	return errors.Join(s.forgetDeletes(), s.compactIndex(ctx))
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
	return s.compact(ctx, mergeWork, s.tierLocked)
}

// applyDeletes writes a file again without the rows that deletes hide.
func (s *Shard) applyDeletes(ctx context.Context) error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	if err := s.compact(ctx, applyWork, s.hiddenLocked); err != nil {
		return err
	}
	return s.forgetDeletes()
}

// compact makes one file of those that pick gives, if any. compacting is held.
func (s *Shard) compact(ctx context.Context, kind work, pick func() []*file) error {
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return errClosed
	}
	files := pick()
	if len(files) == 0 {
		s.mu.Unlock()
		return nil
	}
	w := s.planLocked(kind, files, nil)
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
	var read, written int64
	for _, old := range files {
		read += old.meta.size
	}
	if f != nil {
		written = f.meta.size
	}
	s.metrics.Compactions.WithLabelValues(kind.String()).Inc()
	s.metrics.CompactionReadBytes.Add(float64(read))
	s.metrics.CompactionBytes.Add(float64(written))
	s.metrics.CopiedRows.Add(float64(w.rowsCopied))
	s.metrics.RewriteSeconds.WithLabelValues(kind.String()).Observe(time.Since(start).Seconds())
	s.log.Info("compacted files", "dir", s.dir, "why", kind, "files", len(files),
		"rows", w.rows, "copied", w.rowsCopied, "bytes", written, "took", time.Since(start))
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
