package data

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// What people ask of a node by hand.

// Compact rewrites a replica as one file, with all that was written before.
func (n *Node) Compact(ctx context.Context, ref ShardRef) error {
	return n.lend(ctx, ref, func(s *tsm.Shard) error { return errors.Join(s.Flush(ctx), s.Compact(ctx)) })
}

// Times gives the first and the last time of the rows of a replica, those that
// were overwritten or deleted among them; it is empty when there are none.
func (n *Node) Times(ctx context.Context, ref ShardRef) (model.TimeRange, error) {
	r := model.TimeRange{Min: model.MaxTime, Max: model.MinTime}
	err := n.lend(ctx, ref, func(s *tsm.Shard) error {
		r = s.Info().Range
		return nil
	})
	return r, err
}

// DiskBytes gives what a replica takes on the disk, without opening it.
func (n *Node) DiskBytes(shard uint64) (int64, error) {
	if !n.shards.has(shard) {
		return 0, nil
	}
	return bytesBelow(n.shards.vfs, n.shards.path(shard))
}

// Free gives the bytes that can still be written.
func (n *Node) Free() (uint64, error) { return n.shards.vfs.Free(n.shards.dir) }

// bytesBelow adds up the files of a shard's directory and of those in it. Files
// that go meanwhile do not count.
func bytesBelow(fsys vfs.FS, dir string) (sum int64, err error) {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	for _, name := range names {
		file := path.Join(dir, name)
		size, err := fsys.Size(file)
		if name == "log" {
			size, err = bytesBelow(fsys, file)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		sum += size
	}
	return sum, err
}
