package meta

import (
	"context"
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

// RegisterNode makes this directory a node of the cluster, or says what has
// changed of it since its last start. It is called once, before the Store is
// shared. With etcd away a node that was registered before stays what it was.
//
// A name belongs to one directory: a node that lost its directory cannot come
// back under its name, since others count on what it held.
func (s *Store) RegisterNode(ctx context.Context, name string, roles []Role, version string) (*Node, error) {
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("node name %q: %w", name, err)
	}
	self := &Node{Name: name, Incarnation: uint64(s.identity.Incarnation), Roles: roles, Version: version}
	err := s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		have, err := findNode(now, self)
		if err != nil {
			return false, err
		}
		if have != nil {
			self.ID = have.ID
			return s.commit(ctx, "register node",
				[]Condition{{Key: s.keys.node(self.ID), Revision: have.modified}},
				[]Op{Put(s.keys.node(self.ID), encode(nodeToRecord(self)))})
		}
		if s.identity.ID != 0 {
			return false, conflict(fmt.Sprintf("node %d was removed from the cluster; its data directory cannot be used again", s.identity.ID))
		}
		self.ID = now.counter.next
		return s.commit(ctx, "register node",
			[]Condition{s.idsUnchanged(now)},
			[]Op{Put(s.keys.node(self.ID), encode(nodeToRecord(self))), s.takeIDs(now, 1)})
	})
	if errors.Is(err, model.ErrUnavailable) && s.identity.ID != 0 {
		if known := s.Snapshot().Node(s.identity.ID); known != nil {
			return known, nil
		}
	}
	if err != nil {
		return nil, err
	}
	s.identity.ID, s.identity.Name = self.ID, self.Name
	return self, s.saveIdentity()
}

// findNode finds the node that self is. A crash between registering and noting
// the id leaves only the incarnation to know it by.
func findNode(now *Snapshot, self *Node) (have *node, err error) {
	for _, n := range now.nodes {
		switch {
		case n.Incarnation == self.Incarnation:
			have = n
		case n.Name == self.Name:
			return nil, conflict(fmt.Sprintf("node name %q is taken by node %d, whose data directory is another one", n.Name, n.ID))
		}
	}
	return have, nil
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
