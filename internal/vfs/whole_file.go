package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// ErrLocked is the error of Lock when another holds the lock.
var ErrLocked = errors.New("locked by another process")

// tempSuffix ends the name of a file that is not complete yet. What starts
// after a crash may remove such files.
const tempSuffix = ".tmp"

// ReadFile gives all bytes of a file. A file over limit bytes is an error, so
// that a damaged file cannot take all memory.
func ReadFile(fsys FS, name string, limit int64) (b []byte, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("read %s: %d bytes, at most %d expected", name, size, limit)
	}
	b = make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}

// WriteFile makes name hold b, durably and at once: after a crash there is
// either what was there before or all of b. It writes name+".tmp" on the way.
func WriteFile(fsys FS, name string, b []byte) error {
	temp := name + tempSuffix
	f, err := fsys.Create(temp)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fsys.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), removeIfThere(fsys, temp))
	}
	return fsys.SyncDir(path.Dir(name))
}

func removeIfThere(fsys FS, name string) error {
	if err := fsys.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// MkdirAll makes dir and the directories above it and, unlike FS.MkdirAll,
// makes those that were missing durable.
func MkdirAll(fsys FS, dir string) error {
	dir = path.Clean(dir)
	var parents []string // of directories that are missing, deepest first
	for d := dir; d != "." && d != "/"; d = path.Dir(d) {
		if _, err := fsys.List(d); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		parents = append(parents, path.Dir(d))
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	for _, p := range parents {
		if err := fsys.SyncDir(p); err != nil {
			return err
		}
	}
	return nil
}
