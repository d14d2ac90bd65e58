package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
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
// makes them durable, from the top: one that is there is proof that those above
// it are durable. Of itself it is none, since whoever made it may have been
// killed before the sync; so that is done again.
func MkdirAll(fsys FS, dir string) error {
	dir = path.Clean(dir)
	var missing []string // deepest first
	for isRoot := false; !isRoot; dir = path.Dir(dir) {
		_, err := fsys.List(dir)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		missing = append(missing, dir)
		isRoot = path.Dir(dir) == dir
	}
	if path.Dir(dir) != dir {
		// Whoever may not read the parent did not make dir.
		if err := fsys.SyncDir(path.Dir(dir)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	for _, d := range slices.Backward(missing) {
		if err := fsys.MkdirAll(d); err != nil {
			return err
		}
		if err := fsys.SyncDir(path.Dir(d)); err != nil {
			return err
		}
	}
	return nil
}
