package tsm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/wal"
)

// errStale refuses a batch that was stamped so long ago that what it competes
// with may have been written without versions. A coordinator stamps it anew.
var errStale = fmt.Errorf("%w: older than the shard's frontier: %w", model.ErrStale, model.ErrUnavailable)

// Write makes b, rows or a delete, durable and visible to readers made
// afterwards; b may be reused then. A batch that the shard holds already is a
// success.
//
// The errors: model.ErrNeedKeys when a series is new here and b lacks its key;
// model.ErrOverloaded when the memtables are full; model.ErrUnavailable when
// the disk is, or when b is stale; model.ErrReadOnly after a failed sync.
func (s *Shard) Write(ctx context.Context, b *model.Batch) error {
	if b.ID.Seq == 0 || b.Version.ID != b.ID {
		return fmt.Errorf("write batch: not stamped: %w", model.ErrInvalid)
	}
	if b.Delete == nil {
		if err := s.admit(ctx); err != nil {
			return err
		}
	}
	lsn, p, err := s.begin(b)
	if err != nil {
		return err
	}
	// Log and memtable before the sync, readers after it: a reader must never
	// see what a crash could take back.
	if err := s.wal.Sync(lsn); err != nil {
		return fmt.Errorf("write batch: %w", err)
	}
	deletes := s.publish(lsn)
	if p != nil && p.delete != nil {
		s.bury(p.delete.number)
		deletes-- // or it was published by another write
	}
	if deletes > 0 {
		s.buryLater()
	}
	switch {
	case p == nil:
		s.metrics.Duplicates.Inc()
	case p.delete != nil:
		s.metrics.Deletes.Inc()
	default:
		s.metrics.Rows.Add(float64(b.Rows()))
	}
	return nil
}

// admit waits until there is room in memory and on disk for rows. What may
// make a batch wait is asked here, before it is in the log.
func (s *Shard) admit(ctx context.Context) error {
	if err := s.disk.check(s); err != nil {
		s.metrics.Refused.WithLabelValues("full").Inc()
		return err
	}
	if err := s.keepPace(ctx); err != nil {
		return err
	}
	return s.waitForRoom(ctx)
}

// begin puts b into log and memtable. p is nil for a batch that is held
// already: lsn then covers it.
func (s *Shard) begin(b *model.Batch) (lsn wal.LSN, p *pending, err error) {
	ids, unknown, err := s.index.Lookup(make([]uint32, 0, len(b.Series)), b.Series)
	if err != nil {
		return 0, nil, fmt.Errorf("write batch: %w", err)
	}
	covered, err := s.match(b)
	if err != nil {
		return 0, nil, fmt.Errorf("write batch: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.closed:
		return 0, nil, errClosed
	case s.holdsLocked(b.ID):
		return s.mu.last, nil, nil
	case b.Version.HLC < s.mu.frontier:
		s.metrics.Refused.WithLabelValues("stale").Inc()
		return 0, nil, errStale
	}
	if err := s.extendLocked(&covered, b); err != nil {
		return 0, nil, fmt.Errorf("write batch: %w", err)
	}
	var added []uint32
	if unknown {
		if added, err = s.addSeriesLocked(b, ids); err != nil {
			return 0, nil, err
		}
	}
	lsn, err = s.wal.Append(b, s.keyOf)
	if err != nil {
		// Nothing will be known of these series until they are written again.
		s.index.Bury(roaring.BitmapOf(added...))
		return 0, nil, fmt.Errorf("write batch: %w", err)
	}
	s.mu.last = lsn
	return lsn, s.takeLocked(b, ids, covered, lsn), nil
}

// holdsLocked reports whether the shard has a batch. It must not be applied
// again: what it lost to may be forgotten since.
func (s *Shard) holdsLocked(id model.BatchID) bool {
	if mutant.Is(mutant.PulledTwice) {
		return false
	}
	return s.mu.held.Contains(id)
}

func (s *Shard) keyOf(h model.SeriesHash) []byte {
	id, ok, err := s.index.Find(h)
	if !ok || err != nil {
		return nil
	}
	key, _ := s.index.Key(id) // without it the coordinator sends it
	return key
}

// addSeriesLocked gives ids to those series that have none yet; those without
// rows are not listed, but later batches in the log may count on their key. It
// adds nothing when a key is missing, and buries what it added when it fails.
func (s *Shard) addSeriesLocked(b *model.Batch, ids []uint32) (added []uint32, err error) {
	for i := range b.Series {
		if b.Series[i].Key != nil {
			continue
		}
		id, ok, err := s.index.Find(b.Series[i].Hash)
		if err != nil {
			return nil, fmt.Errorf("write batch: %w", err)
		}
		if !ok {
			return nil, fmt.Errorf("write batch: %w", model.ErrNeedKeys)
		}
		ids[i] = id
	}
	used := usedSeries(b)
	unused := roaring.New()
	for i := range b.Series {
		if b.Series[i].Key == nil {
			continue
		}
		id, isNew, err := s.index.Add(b.Series[i].Hash, b.Series[i].Key)
		if err != nil {
			s.index.Bury(roaring.BitmapOf(added...))
			s.coverNewLocked(added)
			return nil, fmt.Errorf("write batch: %w", err)
		}
		ids[i] = id
		if isNew {
			added = append(added, id)
			if !used[i] {
				unused.Add(id)
			}
		}
	}
	s.index.Bury(unused)
	s.coverNewLocked(added)
	return added, nil
}

// usedSeries tells which series of b have rows: where rows were left out of a
// batch, some have none.
func usedSeries(b *model.Batch) []bool {
	used := make([]bool, len(b.Series))
	for i := range b.Tables {
		for _, at := range b.Tables[i].Series {
			used[at] = true
		}
	}
	return used
}

// takeLocked puts a batch that is in the log into the memtable, or among the
// deletes to be.
func (s *Shard) takeLocked(b *model.Batch, ids []uint32, covered match, lsn wal.LSN) *pending {
	p := &pending{lsn: lsn, id: b.ID, series: s.index.Len()}
	now := s.now()
	if b.Delete != nil {
		p.delete = s.newTombstoneLocked(b, covered)
	} else {
		var hidden []uint32
		if p.ids, hidden = s.aliveLocked(b, ids); len(hidden) > 0 {
			// Those that are new here would be listed.
			hidden = slices.DeleteFunc(hidden, func(id uint32) bool { return id < s.mu.publishedSeries })
			s.index.Bury(roaring.BitmapOf(hidden...))
		}
		p.marks = s.mu.active.insert(b, ids, nil)
	}
	s.mu.held.Add(b.ID)
	s.mu.recent.add(b.Version, now)
	s.mu.newest = max(s.mu.newest, b.Version.HLC)
	s.mu.pending = append(s.mu.pending, p)
	s.mu.lastWrite = now
	return p
}

// publish shows readers all batches up to lsn, which are durable. The order of
// the memtable is that of the log, so the rows of a table that are durable are
// always its first. It gives the number of deletes among them, whose series are
// to be searched for rows.
func (s *Shard) publish(lsn wal.LSN) (deletes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for ; n < len(s.mu.pending) && s.mu.pending[n].lsn <= lsn; n++ {
		p := s.mu.pending[n]
		for _, m := range p.marks {
			m.table.published = m.rows
		}
		s.mu.publishedSeries = p.series
		if s.index.AnyBuried(p.ids) {
			s.index.Revive(p.ids)
		}
		for _, c := range s.mu.checks {
			c.written.AddMany(p.ids)
		}
		if p.delete != nil {
			s.mu.deletes = s.mu.deletes.with(p.delete)
			deletes++
		}
	}
	s.mu.pending = slices.Delete(s.mu.pending, 0, n)
	return deletes
}

// diskSpace remembers how much room the disk had, so that not every write asks.
type diskSpace struct {
	mu struct {
		sync.Mutex
		asked time.Time
		err   error
	}
}

// diskCheckInterval is short enough for the reserve to last: at 100 MB/s of log.
const diskCheckInterval = 500 * time.Millisecond

// check refuses rows when the disk has less than the reserve; deletes and
// metadata still find room then.
func (d *diskSpace) check(s *Shard) error {
	if s.cfg.ReservedBytes == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := s.now()
	if !d.mu.asked.IsZero() && now.Sub(d.mu.asked) < diskCheckInterval && !now.Before(d.mu.asked) {
		return d.mu.err
	}
	d.mu.asked, d.mu.err = now, nil
	free, err := s.fs.Free(s.dir)
	if err != nil {
		d.mu.err = fmt.Errorf("write batch: %w: %w", model.ErrUnavailable, err)
	} else if free < s.cfg.ReservedBytes {
		d.mu.err = fmt.Errorf("write batch: disk is full: %d bytes free, %d reserved: %w", free, s.cfg.ReservedBytes, model.ErrUnavailable)
	}
	return d.mu.err
}
