package data

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// clusterFile says whose shards the directories beside it are: the id of the
// cluster and a newline. Shards are numbered by their cluster, so those of
// another, or of the same directory with its metadata lost, would be taken for
// what they are not.
const clusterFile = "cluster"

// claim refuses a directory of shards that belongs to another cluster, and
// marks a new one.
func claim(fsys vfs.FS, dir, cluster string, empty bool) error {
	name := path.Join(dir, clusterFile)
	f, err := fsys.Open(name)
	switch {
	case err == nil:
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, 1<<10))
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if was := strings.TrimSpace(string(b)); was != cluster {
			return &model.Error{Kind: model.ErrConflict, Text: fmt.Sprintf("%s holds shards of cluster %q, not of cluster %q", dir, was, cluster)}
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case !empty:
		return &model.Error{Kind: model.ErrConflict, Text: fmt.Sprintf("%s holds shards, but %s does not say of which cluster", dir, name)}
	}
	return mark(fsys, dir, cluster)
}

// mark writes the cluster file: whole, or not at all.
func mark(fsys vfs.FS, dir, cluster string) error {
	name := path.Join(dir, clusterFile)
	f, err := fsys.Create(name + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(cluster + "\n"))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(name+".new", name)
	}
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	return err
}
