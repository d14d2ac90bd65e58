package tsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/model"
)

// maxStreamSeries bounds the series that a stream of Fetch knows the receiver to
// have: 16 bytes each and the map's share. Over it all keys are sent again.
const maxStreamSeries = 1 << 17

// Fetch hands on those of the batches in want that are durable and in the log,
// in the order of the log, each as it was taken and the receiver's to keep. A
// series has its key at its first use in the stream, so a receiver must take all
// batches in order or none after the first that it could not. trimmed are those
// that the shard holds and the log no longer has; what of want it does not hold
// is in neither. Writes, flushes and ReleaseLog go on meanwhile; memory is
// bounded by one batch. An error of emit ends Fetch.
func (s *Shard) Fetch(ctx context.Context, want *model.BatchSet, emit func(*model.Batch) error) (trimmed *model.BatchSet, err error) {
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return nil, errClosed
	}
	trimmed = want.Intersect(s.appliedLocked())
	s.mu.Unlock()
	if trimmed.Empty() {
		return trimmed, nil
	}
	sent := map[model.SeriesHash]struct{}{}
	want = trimmed.Clone()
	var receiver error
	err = s.wal.Read(ctx, want, func(b *model.Batch) error {
		if err := s.addKeys(b, sent); err != nil {
			return err
		}
		trimmed.Remove(b.ID)
		if b.Delete != nil && mutant.Is(mutant.DeletesNotPulled) {
			return nil
		}
		receiver = emit(b)
		return receiver
	})
	if err != nil {
		if receiver == nil && errors.Is(err, model.ErrCorrupt) {
			s.noteLogDamage(err)
		}
		return nil, fmt.Errorf("fetch batches: %w", err)
	}
	return trimmed, nil
}

// addKeys makes b have the keys of just those series that are not in sent.
func (s *Shard) addKeys(b *model.Batch, sent map[model.SeriesHash]struct{}) error {
	if len(sent)+len(b.Series) > maxStreamSeries {
		clear(sent)
	}
	for i := range b.Series {
		series := &b.Series[i]
		if _, ok := sent[series.Hash]; ok {
			series.Key = nil
			continue
		}
		if series.Key == nil {
			if series.Key = s.keyOf(series.Hash); series.Key == nil {
				return fmt.Errorf("batch %v: no key of series %v: %w", b.ID, series.Hash, model.ErrCorrupt)
			}
		}
		sent[series.Hash] = struct{}{}
	}
	return nil
}
