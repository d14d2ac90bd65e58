package tsm

import (
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// Snapshot is one state of a shard's files, which stay until Close.
type Snapshot struct {
	Files  []SnapshotFile
	Newest model.HLC // of all versions that the shard has taken
}

// SnapshotFile is a file of a Snapshot.
type SnapshotFile struct {
	Name string
	Size int64
}

// Snapshot gives the files that make up the shard. What is only in the log is
// not among them.
func (s *Shard) Snapshot() (*Snapshot, error) { panic("TODO") }

// Manifest gives what Install needs besides the files.
func (p *Snapshot) Manifest() []byte { panic("TODO") }

// Open opens one of the files.
func (p *Snapshot) Open(name string) (vfs.File, error) { panic("TODO") }

// Close lets go of the files. It may be called twice.
func (p *Snapshot) Close() error { panic("TODO") }

// Install makes a shard of the files of a Snapshot, which were put into dir.
func Install(fs vfs.FS, dir string, manifest []byte) error { panic("TODO") }
