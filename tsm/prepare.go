package tsm

import (
	"context"
	"fmt"
	"iter"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/index"
)

// prepareStep is how many series Prepare adds at a time, with writers waiting.
const prepareStep = 512

// Prepare makes series known before their first rows come, so that these cost
// no more than any: it gives them ids and keeps them in index files. They are
// not listed until they are written to, and are in no log. Those that are known
// are left as they are. A key need not last beyond its turn; the rate at which
// series come is the caller's. It gives the number of series that were new.
func (s *Shard) Prepare(ctx context.Context, series iter.Seq2[model.SeriesHash, []byte]) (added int, err error) {
	var step []model.Series
	flush := func() error {
		n, err := s.prepare(step)
		added += n
		step = step[:0]
		if err == nil && s.indexDue() {
			err = s.flushIndex()
		}
		return err
	}
	for h, key := range series {
		if err = ctx.Err(); err != nil {
			break
		}
		step = append(step, model.Series{Hash: h, Key: append([]byte(nil), key...)})
		if len(step) == prepareStep {
			if err = flush(); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = flush()
	}
	if err == nil && added > 0 {
		err = s.flushIndex()
	}
	if err != nil {
		return added, fmt.Errorf("prepare shard: %w", err)
	}
	return added, nil
}

func (s *Shard) indexDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.indexDueLocked()
}

// prepare adds a few series, buried, and gives the number of those that are new.
func (s *Shard) prepare(series []model.Series) (int, error) {
	ids, unknown, err := s.index.Lookup(nil, series)
	if err != nil || !unknown {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return 0, errClosed
	}
	var added []uint32
	for i := 0; i < len(series) && err == nil; i++ {
		if ids[i] != index.Unknown {
			continue
		}
		var isNew bool
		if ids[i], isNew, err = s.index.Add(series[i].Hash, series[i].Key); isNew {
			added = append(added, ids[i])
		}
	}
	s.index.Bury(roaring.BitmapOf(added...))
	s.coverNewLocked(added)
	// As if a batch had named them: the last one that waits for its sync, for ids
	// before theirs may be of batches that are not durable.
	if n := len(s.mu.pending); n > 0 {
		s.mu.pending[n-1].series = s.index.Len()
	} else {
		s.mu.publishedSeries = s.index.Len()
	}
	return len(added), err
}

// Live gives hash and key of each series that has data as far as known. A key is
// valid until the next one. What comes may be too little when Close gives an error.
func (r *Reader) Live() iter.Seq2[model.SeriesHash, []byte] { return r.index.Live(r.below) }
