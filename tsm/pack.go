package tsm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/varvedb/varve/internal/arena"
	"github.com/varvedb/varve/model"
	blocks "github.com/varvedb/varve/tsm/block"
	"github.com/varvedb/varve/tsm/segment"
)

// Pack puts the rows that came last in order and encodes them as a segment in
// memory, a tenth of the size: so much more fits between two flushes. It does
// nothing when there are none.
func (s *Shard) Pack() error {
	s.packing.Lock()
	defer s.packing.Unlock()
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return errClosed
	}
	if s.mu.active.rows == 0 {
		s.mu.Unlock()
		return nil
	}
	last := s.mu.last
	m := s.mu.active
	s.sealLocked()
	s.mu.Unlock()
	// All rows of a segment are published. The writers are waiting for the same sync.
	err := s.syncAndPublish(last)
	if err == nil {
		err = s.replaceByPacked(m)
	}
	if err != nil {
		return fmt.Errorf("pack memtable: %w", err) // the next flush takes it as it is
	}
	return nil
}

// packReplayed is Pack for a shard that is being opened: what is replayed is
// durable, and must not take more memory than it did before.
func (s *Shard) packReplayed() error {
	s.mu.Lock()
	m := s.mu.active
	if m.rows == 0 {
		s.mu.Unlock()
		return nil
	}
	s.sealLocked()
	s.mu.Unlock()
	return s.replaceByPacked(m)
}

// replaceByPacked packs a sealed memtable all of whose rows are published.
// packing is held, so that it is not flushed meanwhile.
func (s *Shard) replaceByPacked(m *memtable) error {
	s.mu.Lock()
	id := s.mu.nextID // what is known of a file is kept by its number
	s.mu.nextID++
	s.mu.Unlock()
	p, err := pack(m, id, s.cfg.Arena)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.mu.sealed[slices.Index(s.mu.sealed, m)] = p
	s.makeRoomLocked()
	s.mu.Unlock()
	s.metrics.Packs.Inc()
	return m.release()
}

// pack gives a memtable with the rows of m in a segment in memory.
func pack(m *memtable, id uint64, pool *arena.Pool) (*memtable, error) {
	var out bytes.Buffer
	p := packers.Get().(*packer)
	defer p.release()
	p.start(segment.NewWriter(&out, segment.Options{Versioned: true, Effort: blocks.Fast}))
	for _, t := range slices.SortedFunc(slices.Values(m.tables), func(a, b *memTable) int { return strings.Compare(a.name, b.name) }) {
		if err := p.table(t); err != nil {
			return nil, err
		}
	}
	meta, err := p.w.Finish()
	if err == nil && (meta.Rows != int64(m.rows) || meta.Range != m.times || meta.MinVersion != m.low || meta.MaxVersion != m.high) {
		err = fmt.Errorf("%d rows in %v written, not %d in %v: %w", meta.Rows, meta.Range, m.rows, m.times, model.ErrCorrupt)
	}
	if err != nil {
		return nil, err
	}
	piece := pool.Get(out.Len())
	copy(piece, out.Bytes())
	r, err := segment.OpenBytes(piece)
	if err != nil {
		return nil, errors.Join(err, pool.Put(piece))
	}
	f := &file{
		name: segmentName(id) + ", in memory,", r: r, free: func() error { return pool.Put(piece) },
		meta: fileMeta{
			id: id, size: meta.Size, rows: meta.Rows, times: meta.Range,
			low: meta.MinVersion, high: meta.MaxVersion, versioned: true,
		},
	}
	f.refs.Store(1)
	return &memtable{span: m.span, packed: f, packedBytes: meta.Size + packedOverhead(r)}, nil
}

// packedOverhead gives about what an open segment takes beside its bytes.
func packedOverhead(r *segment.Reader) int64 {
	n := 1024 + 32*len(r.Versions())
	for _, name := range r.Measurements() {
		n += 1024 + 64*len(r.Fields(name))
	}
	return int64(n)
}
