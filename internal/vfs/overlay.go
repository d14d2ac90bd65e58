package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"syscall"
)

// Overlay shows another file system and keeps every change in memory: what is
// opened over it recovers, trims and removes as it pleases, and nothing below
// is touched. It is how tools look at what belongs to a server.
//
// A file is copied into memory when it is first appended to or cut, so that an
// Overlay takes about what is written to it and the files that grow.
type Overlay struct {
	base FS
	top  *Mem // what was changed
	mu   struct {
		sync.Mutex
		gone map[string]bool // names below that are not to be seen any more, nor what is under them
	}
}

// NewOverlay gives a view of base.
func NewOverlay(base FS) *Overlay {
	o := &Overlay{base: base, top: NewMem()}
	o.mu.gone = map[string]bool{}
	return o
}

// covered reports whether the name below is not to be seen.
func (o *Overlay) covered(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name = path.Clean(name); ; name = path.Dir(name) {
		if o.mu.gone[name] {
			return true
		}
		if path.Dir(name) == name {
			return false
		}
	}
}

func (o *Overlay) cover(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.gone[path.Clean(name)] = true
}

// changed reports whether name is a file that lives in memory.
func (o *Overlay) changed(name string) bool {
	_, err := o.top.Size(name)
	if err != nil {
		return false
	}
	_, err = o.top.List(name)
	return err != nil
}

// parent makes the directory that holds name in memory, if it is there below.
func (o *Overlay) parent(name string) error {
	if _, err := o.List(path.Dir(name)); err != nil {
		return err
	}
	return o.top.MkdirAll(path.Dir(name))
}

// Create implements FS.
func (o *Overlay) Create(name string) (File, error) {
	if err := o.parent(name); err != nil {
		return nil, err
	}
	o.cover(name)
	return o.top.Create(name)
}

// Open implements FS. A file that was not changed is that of the file system
// below, mapped when that maps.
func (o *Overlay) Open(name string) (File, error) {
	switch {
	case o.changed(name):
		return o.top.Open(name)
	case o.covered(name):
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	return o.base.Open(name)
}

// OpenAppend implements FS.
func (o *Overlay) OpenAppend(name string) (File, error) {
	if o.changed(name) {
		return o.top.OpenAppend(name)
	}
	f, err := o.Open(name)
	if err != nil {
		return nil, err
	}
	return &overlayFile{File: f, over: o, name: name}, nil
}

// raise brings a file of below into memory.
func (o *Overlay) raise(name string) (err error) {
	if o.changed(name) {
		return nil
	}
	from, err := o.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := o.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// Remove implements FS.
func (o *Overlay) Remove(name string) error {
	if names, err := o.List(name); err == nil && len(names) > 0 {
		return pathError("remove", name, syscall.ENOTEMPTY)
	} else if _, err := o.Size(name); err != nil {
		return err
	}
	return o.RemoveAll(name)
}

// RemoveAll implements FS.
func (o *Overlay) RemoveAll(name string) error {
	o.cover(name)
	return o.top.RemoveAll(name)
}

// Rename implements FS, for files.
func (o *Overlay) Rename(oldname, newname string) error {
	if _, err := o.List(oldname); err == nil {
		return pathError("rename", oldname, errors.ErrUnsupported)
	}
	if err := o.parent(newname); err != nil {
		return err
	}
	if err := o.raise(oldname); err != nil {
		return err
	}
	o.cover(newname)
	return o.top.Rename(oldname, newname)
}

// MkdirAll implements FS.
func (o *Overlay) MkdirAll(dir string) error {
	if _, err := o.List(dir); err == nil {
		return nil
	}
	return o.top.MkdirAll(dir)
}

// List implements FS.
func (o *Overlay) List(dir string) ([]string, error) {
	names, err := o.top.List(dir)
	if o.covered(dir) {
		return names, err
	}
	below, belowErr := o.base.List(dir)
	if err != nil && belowErr != nil {
		return nil, belowErr
	}
	for _, name := range below {
		if !o.covered(path.Join(dir, name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Size implements FS.
func (o *Overlay) Size(name string) (int64, error) {
	if size, err := o.top.Size(name); err == nil {
		return size, nil
	}
	if o.covered(name) {
		return 0, pathError("size", name, fs.ErrNotExist)
	}
	return o.base.Size(name)
}

// SyncDir implements FS: there is nothing to be made durable.
func (o *Overlay) SyncDir(dir string) error {
	_, err := o.List(dir)
	return err
}

// Lock implements FS. It keeps only other users of the Overlay out.
func (o *Overlay) Lock(name string) (io.Closer, error) {
	if err := o.parent(name); err != nil {
		return nil, err
	}
	return o.top.Lock(name)
}

// Free implements FS.
func (o *Overlay) Free(dir string) (uint64, error) { return o.base.Free(dir) }

// overlayFile is a file that was opened for appending: that of the file system
// below until it is changed.
type overlayFile struct {
	File
	over   *Overlay
	name   string
	raised bool
}

func (f *overlayFile) raise() error {
	if f.raised {
		return nil
	}
	if err := f.over.raise(f.name); err != nil {
		return err
	}
	to, err := f.over.top.OpenAppend(f.name)
	if err != nil {
		return err
	}
	from := f.File
	f.File, f.raised = to, true
	return from.Close()
}

func (f *overlayFile) Write(p []byte) (int, error) {
	if err := f.raise(); err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	return f.File.Write(p)
}

func (f *overlayFile) Truncate(size int64) error {
	if err := f.raise(); err != nil {
		return fmt.Errorf("truncate: %w", err)
	}
	return f.File.Truncate(size)
}

// Sync has nothing to make durable.
func (f *overlayFile) Sync() error {
	_, err := f.Size()
	return err
}
