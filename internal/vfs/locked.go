//go:build unix

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Locked reports whether a process holds the lock on a file of the machine that
// OS.Lock takes. It makes no file, and keeps nobody from the lock for longer
// than it takes to ask.
func Locked(name string) (bool, error) {
	f, err := os.Open(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close() // and with it a lock that was got
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return true, nil
	default:
		return false, err
	}
}
