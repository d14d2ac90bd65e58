package meta

import (
	"errors"
	"io/fs"
	"path"

	"github.com/varvedb/varve/internal/vfs"
)

// Identify gives the cluster and the node that a directory of Open belongs to,
// "" and 0 for one that is new or has not registered yet.
func Identify(vfs vfs.FS, dir string) (cluster string, node uint64, err error) {
	name := path.Join(dir, identityFile)
	f, err := vfs.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, nil
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", 0, err
	}
	id, err := openIdentity(vfs, name)
	return id.Cluster, id.ID, err
}
