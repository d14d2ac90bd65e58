package wal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/varvedb/varve/model"
)

// ClosedFile is a file that nothing is appended to any more.
type ClosedFile struct {
	ID      FileID
	Batches *model.BatchSet // must not be changed
}

// Closed gives the closed files up to through, the oldest first.
func (l *Log) Closed(through FileID) []ClosedFile {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []ClosedFile
	for id, f := range l.mu.closed {
		if id <= through {
			all = append(all, ClosedFile{ID: id, Batches: &f.has.batches})
		}
	}
	slices.SortFunc(all, func(a, b ClosedFile) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// stretch is the part of a file that is durable, and what of it is wanted.
type stretch struct {
	id   FileID
	end  int64
	want *model.BatchSet
}

// Read hands on those of the batches in want that are in the log and durable,
// in order. A batch has those keys that it brought into its file. Files that
// are trimmed meanwhile may be left out, others not. Appends, rotation and trim
// go on; memory is bounded by one batch. An error of emit ends Read.
func (l *Log) Read(ctx context.Context, want *model.BatchSet, emit func(*model.Batch) error) error {
	for _, s := range l.stretches(want) {
		if err := l.readStretch(ctx, s, emit); err != nil {
			return fmt.Errorf("read log file %s: %w", s.id.name(), err)
		}
	}
	return nil
}

// stretches gives where what is wanted is, the oldest first.
func (l *Log) stretches(want *model.BatchSet) []stretch {
	l.mu.Lock()
	t := &l.mu.tail
	all := []stretch{{id: t.id, end: t.synced, want: want.Intersect(&t.has.batches)}}
	closed := maps.Clone(l.mu.closed)
	l.mu.Unlock()
	// Appends need not wait for this: there may be many files.
	for id, f := range closed {
		all = append(all, stretch{id: id, end: f.size, want: want.Intersect(&f.has.batches)})
	}
	all = slices.DeleteFunc(all, func(s stretch) bool { return s.want.Empty() })
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Compare(a.id, b.id) })
	return all
}

func (l *Log) readStretch(ctx context.Context, s stretch, emit func(*model.Batch) error) (err error) {
	f, err := l.fs.Open(l.path(s.id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // trimmed
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := &reader{file: f, size: s.end}
	if err := r.readHeader(); err != nil {
		return err
	}
	if r.header.id != s.id {
		return fmt.Errorf("header of file %d: %w", r.header.id, model.ErrCorrupt)
	}
	// A batch is in a log once, so what was found need not be looked for.
	for left := s.want.Len(); left > 0 && r.at < r.size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, payload, err := r.next()
		if err != nil {
			return err
		}
		if payload == nil {
			return fmt.Errorf("damage at %d of %d bytes: %w", r.at, r.size, model.ErrCorrupt)
		}
		if h.kind != recordBatch {
			continue
		}
		v, err := model.BatchVersion(payload)
		if err != nil {
			return err
		}
		if !s.want.Contains(v.ID) {
			continue
		}
		left--
		b, err := model.DecodeBatch(payload)
		if err != nil {
			return err
		}
		if err := emit(b); err != nil {
			return err
		}
	}
	return nil
}
