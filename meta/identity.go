package meta

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

const identityFile = "node.json"

// identity is what a data directory knows of itself for ever.
type identity struct {
	Format      int    `json:"format"`
	Incarnation hex64  `json:"incarnation"`       // made with the directory
	Cluster     string `json:"cluster,omitempty"` // once it has joined one
	ID          uint64 `json:"id,omitempty"`      // of the node, once registered
	Name        string `json:"name,omitempty"`
	Starts      uint64 `json:"starts,omitempty"` // of the directory; written before etcd hears of one
}

// openIdentity reads the identity file, or makes one with a new incarnation.
func openIdentity(vfs vfs.FS, name string) (identity, error) {
	b, err := readFile(vfs, name)
	if errors.Is(err, fs.ErrNotExist) {
		id := identity{Format: recordFormat, Incarnation: hex64(random64())}
		return id, writeFile(vfs, name, append(encode(id), '\n'))
	}
	if err != nil {
		return identity{}, fmt.Errorf("read %s: %w", name, err)
	}
	var id identity
	if err := json.Unmarshal(b, &id); err != nil {
		return identity{}, fmt.Errorf("read %s: %w: %w", name, model.ErrCorrupt, err)
	}
	if id.Format != recordFormat {
		return identity{}, fmt.Errorf("read %s: format version %d, this server knows %d", name, id.Format, recordFormat)
	}
	return id, nil
}

// adopt notes the cluster of this directory before anything is stored in it.
func (s *Store) adopt(cluster string) error {
	if s.identity.Cluster == cluster {
		return nil
	}
	s.identity.Cluster = cluster
	return s.saveIdentity()
}

func (s *Store) saveIdentity() error {
	return writeFile(s.fs, path.Join(s.dir, identityFile), append(encode(s.identity), '\n'))
}

func random64() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func readFile(vfs vfs.FS, name string) ([]byte, error) {
	f, err := vfs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// writeFile replaces a file in one step that a crash cannot split.
func writeFile(vfs vfs.FS, name string, b []byte) error {
	temp := name + ".tmp"
	f, err := vfs.Create(temp)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = vfs.Rename(temp, name)
	}
	if err == nil {
		err = vfs.SyncDir(path.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
