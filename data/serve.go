package data

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// lend runs f on a replica for another owner. A replica that was never written
// to is not opened: f is not called.
func (n *Node) lend(ctx context.Context, ref ShardRef, f func(*tsm.Shard) error) error {
	_, sh, err := n.current(ctx, ref)
	if err != nil {
		return named(ref, err)
	}
	switch state := n.stateIn(sh); {
	case state == "" || state == meta.Rebuild:
		return errNoOwner(ref)
	case ref.Revision != 0 && ref.Revision != sh.Revision:
		return fmt.Errorf("%s: revision %d of its owners, not %d: %w", ref, sh.Revision, ref.Revision, model.ErrMoved)
	case state == meta.Joining && !n.shards.isLoaded(ref.Shard):
		return fmt.Errorf("%s: %w", ref, errNotHere)
	}
	if n.shards.absent(ref.Shard) {
		return nil
	}
	h, shard, err := n.shards.useThere(ref.Shard)
	if errors.Is(err, model.ErrNotFound) {
		return named(ref, n.dropped(ref))
	}
	if err != nil {
		return err
	}
	defer n.release(h)
	return named(ref, f(shard))
}

// Fetch implements Owner.
func (n *Node) Fetch(ctx context.Context, ref ShardRef, want *model.BatchSet, emit func(*model.Batch) error) (trimmed *model.BatchSet, err error) {
	trimmed = &model.BatchSet{}
	err = n.lend(ctx, ref, func(s *tsm.Shard) (err error) {
		trimmed, err = s.Fetch(ctx, want, emit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return trimmed, nil
}

// Digest implements Owner.
func (n *Node) Digest(ctx context.Context, ref ShardRef) (tsm.Digest, error) {
	d := tsm.Digest{Applied: &model.BatchSet{}}
	err := n.lend(ctx, ref, func(s *tsm.Shard) (err error) {
		d, err = s.Digest(ctx)
		return err
	})
	return d, err
}

// Snapshot implements Owner. The clock is read once the sender is known as an
// owner here: what this node has told without it is below that reading.
func (n *Node) Snapshot(ctx context.Context, ref ShardRef, resume []SnapshotFile, emit func(SnapshotPart) error) error {
	if err := n.copyable(ref); err != nil {
		return named(ref, err)
	}
	sent := false
	err := n.lend(ctx, ref, func(s *tsm.Shard) error {
		// What is flushed is copied as files; the rest has to be pulled, batch by
		// batch. A disk that is full is no reason not to be copied.
		if err := s.Flush(ctx); err != nil {
			n.log.Warn("flush before a copy failed", "shard", ref.Shard, "error", err)
		}
		p, err := s.Snapshot()
		if err != nil {
			return err
		}
		defer p.Close()
		now, err := n.now()
		if err != nil {
			return err
		}
		sent = true
		first := SnapshotPart{Manifest: p.Manifest(), Clock: max(now.HLC, p.Newest)}
		for _, f := range p.Files {
			first.Files = append(first.Files, SnapshotFile{Name: f.Name, Size: f.Size})
		}
		if err := emit(first); err != nil {
			return err
		}
		for _, f := range first.Files {
			if err := sendFile(ctx, p, f, resume, emit); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || sent {
		return err
	}
	now, err := n.now()
	if err != nil {
		return err
	}
	return emit(SnapshotPart{Clock: now.HLC}) // there is nothing to copy
}

// copyable refuses to be copied from while this replica has itself to be copied
// anew, for lack of something, and another active owner may serve instead: the
// copy would lack the same, in no log either, and would have to begin again.
func (n *Node) copyable(ref ShardRef) error {
	why := n.doubtOf(ref.Shard)
	s := n.follow()
	_, sh := s.Shard(ref.Shard)
	if sh == nil || !errors.Is(why, model.ErrTrimmed) || !slices.ContainsFunc(n.others(sh, meta.Active), s.Alive) {
		return nil
	}
	return fmt.Errorf("%w: it is to be copied anew itself: %w", model.ErrBehind, why)
}

// sendFile sends what the receiver does not have of a file.
func sendFile(ctx context.Context, p *tsm.Snapshot, want SnapshotFile, resume []SnapshotFile, emit func(SnapshotPart) error) (err error) {
	f, err := p.Open(want.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var at int64
	if i := slices.IndexFunc(resume, func(r SnapshotFile) bool { return r.Name == want.Name }); i >= 0 && resume[i].Size <= want.Size {
		sum, err := checksum(f, resume[i].Size)
		if err != nil {
			return err
		}
		if sum == resume[i].Sum {
			at = resume[i].Size
		}
	}
	buf := make([]byte, MaxSnapshotPiece)
	for at < want.Size {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece := buf[:min(int64(len(buf)), want.Size-at)]
		if _, err := f.ReadAt(piece, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := emit(SnapshotPart{Name: want.Name, Offset: at, Bytes: piece, Sum: crc32.Checksum(piece, castagnoli)}); err != nil {
			return err
		}
		at += int64(len(piece))
	}
	return nil
}

// checksum gives the CRC32C of the first bytes of a file.
func checksum(f vfs.File, size int64) (uint32, error) {
	var sum uint32
	buf := make([]byte, MaxSnapshotPiece)
	for at := int64(0); at < size; {
		piece := buf[:min(int64(len(buf)), size-at)]
		if _, err := f.ReadAt(piece, at); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, piece)
		at += int64(len(piece))
	}
	return sum, nil
}
