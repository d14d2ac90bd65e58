package data

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// copyShard brings the files of a replica from an active owner and makes them
// the directory of the shard. It is built beside it and goes on where the last
// try ended, from whichever owner.
func (n *Node) copyShard(ctx context.Context, g *meta.ShardGroup, sh *meta.Shard) error {
	var errs []error
	for _, node := range n.sources(sh) {
		err := n.copyFrom(ctx, refOf(g, sh), node)
		if err == nil || ctx.Err() != nil {
			return err
		}
		errs = append(errs, fmt.Errorf("from node %d: %w", node, err))
	}
	if len(errs) == 0 {
		return fmt.Errorf("copy shard %d: no active owner: %w", sh.ID, model.ErrUnavailable)
	}
	return fmt.Errorf("copy shard %d: %w", sh.ID, errors.Join(errs...))
}

// sources gives the active owners, those first that are alive.
func (n *Node) sources(sh *meta.Shard) []uint64 {
	nodes := n.others(sh, meta.Active)
	s := n.meta.Snapshot()
	slices.SortStableFunc(nodes, func(a, b uint64) int {
		switch x, y := s.Alive(a), s.Alive(b); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return nodes
}

func (n *Node) copyFrom(ctx context.Context, ref ShardRef, node uint64) error {
	o := n.owner(node)
	if o == nil {
		return errNoWay
	}
	begun := time.Now()
	c := &copying{fs: n.shards.vfs, dir: n.shards.path(ref.Shard) + copySuffix, sizes: make(map[string]int64)}
	resume, err := c.begin()
	if err != nil {
		return err
	}
	err = o.Snapshot(ctx, ref, resume, func(p SnapshotPart) error {
		if err := n.pace.Spend(ctx, int64(len(p.Bytes))); err != nil {
			return err
		}
		n.metrics.copiedBytes.Add(float64(len(p.Bytes)))
		return c.take(p)
	})
	if err = errors.Join(err, c.close()); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	// The others may have relied on floors of the source: so must this node.
	if err := n.observe(c.first.Clock); err != nil {
		return err
	}
	if len(c.first.Manifest) == 0 {
		return n.shards.mark(ref.Shard) // nothing was ever written to it
	}
	if err := tsm.Install(c.fs, c.dir, c.first.Manifest); err != nil {
		// Rather all of it again than the same damage for ever.
		return errors.Join(err, c.fs.RemoveAll(c.dir))
	}
	if err := n.shards.adopt(ref.Shard); err != nil {
		return err
	}
	n.metrics.copies.Inc()
	n.log.Info("copied shard", "shard", ref.Shard, "from", node, "bytes", c.bytes(), "took", time.Since(begun))
	return nil
}

// copying is the files of a copy under way.
type copying struct {
	fs    vfs.FS
	dir   string
	sizes map[string]int64 // what is there of each file
	first *SnapshotPart

	name string // of the open file
	file vfs.File
}

// begin gives what is left of an earlier try.
func (c *copying) begin() (resume []SnapshotFile, err error) {
	if err := vfs.MkdirAll(c.fs, c.dir); err != nil {
		return nil, err
	}
	names, err := c.fs.List(c.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		f, err := c.fs.Open(path.Join(c.dir, name))
		if err != nil {
			continue // a directory, or gone: take removes it
		}
		size, err := f.Size()
		var sum uint32
		if err == nil {
			sum, err = checksum(f, size)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		c.sizes[name] = size
		resume = append(resume, SnapshotFile{Name: name, Size: size, Sum: sum})
	}
	return resume, nil
}

// take stores a part.
func (c *copying) take(p SnapshotPart) error {
	if c.first == nil {
		return c.takeFirst(p)
	}
	i := slices.IndexFunc(c.first.Files, func(f SnapshotFile) bool { return f.Name == p.Name })
	switch {
	case i < 0:
		return fmt.Errorf("copy: file %.64q is not in the list: %w", p.Name, model.ErrCorrupt)
	case crc32.Checksum(p.Bytes, castagnoli) != p.Sum:
		return fmt.Errorf("copy: %s at %d: checksum mismatch: %w", p.Name, p.Offset, model.ErrCorrupt)
	case p.Offset != 0 && p.Offset != c.sizes[p.Name], p.Offset > c.first.Files[i].Size-int64(len(p.Bytes)):
		return fmt.Errorf("copy: %s: %d bytes at %d do not fit: %w", p.Name, len(p.Bytes), p.Offset, model.ErrCorrupt)
	}
	if err := c.open(p.Name, p.Offset == 0); err != nil {
		return err
	}
	if p.Offset == 0 {
		c.sizes[p.Name] = 0
	}
	if _, err := c.file.Write(p.Bytes); err != nil {
		return err
	}
	c.sizes[p.Name] += int64(len(p.Bytes))
	return nil
}

// takeFirst takes what concerns the whole, and removes what does not belong to it.
func (c *copying) takeFirst(p SnapshotPart) error {
	p.Manifest, p.Files = slices.Clone(p.Manifest), slices.Clone(p.Files)
	for _, f := range p.Files {
		if f.Name == "" || f.Name == "." || f.Name == ".." || strings.ContainsAny(f.Name, `/\`) || f.Size < 0 {
			return fmt.Errorf("copy: file %.64q of %d bytes: %w", f.Name, f.Size, model.ErrCorrupt)
		}
	}
	c.first = &p
	names, err := c.fs.List(c.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.ContainsFunc(p.Files, func(f SnapshotFile) bool { return f.Name == name && c.sizes[name] <= f.Size }) {
			continue
		}
		if err := c.fs.RemoveAll(path.Join(c.dir, name)); err != nil {
			return err
		}
		delete(c.sizes, name)
	}
	return nil
}

// open makes a file the one that is written to.
func (c *copying) open(name string, anew bool) (err error) {
	if c.name == name && !anew {
		return nil
	}
	if err := c.close(); err != nil {
		return err
	}
	if anew {
		c.file, err = c.fs.Create(path.Join(c.dir, name))
	} else {
		c.file, err = c.fs.OpenAppend(path.Join(c.dir, name))
	}
	if err == nil {
		c.name = name
	}
	return err
}

// close makes the open file durable, as far as it was written.
func (c *copying) close() error {
	if c.file == nil {
		return nil
	}
	err := errors.Join(c.file.Sync(), c.file.Close())
	c.file, c.name = nil, ""
	return err
}

// check makes sure that all files are whole and durable.
func (c *copying) check() error {
	if c.first == nil {
		return fmt.Errorf("copy: the source sent nothing: %w", model.ErrUnavailable)
	}
	for _, f := range c.first.Files {
		size, err := c.fs.Size(path.Join(c.dir, f.Name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && size != f.Size {
			return fmt.Errorf("copy: %s has %d of %d bytes: %w", f.Name, size, f.Size, model.ErrUnavailable)
		}
		if err != nil {
			return err
		}
	}
	return c.fs.SyncDir(c.dir)
}

func (c *copying) bytes() (sum int64) {
	for _, f := range c.first.Files {
		sum += f.Size
	}
	return sum
}
