package data

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// clusterFile says whose shards the directories beside it are (FORMAT.md).
// Shards are numbered by their cluster, so those of another, or of the same
// directory with its metadata lost, would be taken for what they are not.
const clusterFile = "cluster"

// clusterPrefix begins the line of the file; the number is the format's version.
const clusterPrefix = "varve shards 1 "

// claim refuses a directory of shards that belongs to another cluster, and
// marks a new one.
func claim(fsys vfs.FS, dir, cluster string, empty bool) error {
	name := path.Join(dir, clusterFile)
	b, err := vfs.ReadFile(fsys, name, 1<<10)
	switch {
	case errors.Is(err, fs.ErrNotExist) && empty:
		return vfs.WriteFile(fsys, name, []byte(clusterPrefix+cluster+"\n"))
	case errors.Is(err, fs.ErrNotExist):
		return &model.Error{Kind: model.ErrConflict, Text: fmt.Sprintf("%s holds shards, but %s does not say of which cluster", dir, name)}
	case err != nil:
		return err
	}
	was, ok := strings.CutPrefix(string(b), clusterPrefix)
	was, ended := strings.CutSuffix(was, "\n")
	if !ok || !ended {
		return fmt.Errorf("%s is not what this version writes: %w", name, model.ErrCorrupt)
	}
	if was != cluster {
		return &model.Error{Kind: model.ErrConflict, Text: fmt.Sprintf("%s holds shards of cluster %q, not of cluster %q", dir, was, cluster)}
	}
	return nil
}
