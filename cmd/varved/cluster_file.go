package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// clusterFile is what a node must know to find the others again when it starts
// while they may have moved and etcd may not answer.
type clusterFile struct {
	Format   int      `json:"format"`
	Cluster  string   `json:"cluster"`
	Members  []string `json:"members"`            // rpc addresses of the other nodes
	Etcd     []string `json:"etcd"`               // its addresses for clients
	External bool     `json:"external,omitempty"` // etcd is not run by the nodes
}

const (
	clusterFileName   = "cluster.json"
	clusterFileFormat = 1
	maxClusterFile    = 1 << 20
)

// readClusterFile gives nil where there is none.
func readClusterFile(fsys vfs.FS, dir string) (*clusterFile, error) {
	name := path.Join(dir, clusterFileName)
	b, err := vfs.ReadFile(fsys, name, maxClusterFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := &clusterFile{}
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", name, model.ErrCorrupt, err)
	}
	if f.Format != clusterFileFormat {
		return nil, fmt.Errorf("read %s: format version %d, this server knows %d", name, f.Format, clusterFileFormat)
	}
	return f, nil
}

func (f *clusterFile) write(fsys vfs.FS, dir string) error {
	f.Format = clusterFileFormat
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := vfs.MkdirAll(fsys, dir); err != nil {
		return err
	}
	return vfs.WriteFile(fsys, path.Join(dir, clusterFileName), append(b, '\n'))
}

func (f *clusterFile) equal(o *clusterFile) bool {
	return f.Cluster == o.Cluster && f.External == o.External && slices.Equal(f.Members, o.Members) && slices.Equal(f.Etcd, o.Etcd)
}
