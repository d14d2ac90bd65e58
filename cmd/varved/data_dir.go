package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/varvedb/varve/internal/vfs"
)

// lock makes the data directory and takes it for this process.
func (s *server) lock() error {
	if err := s.refuseForeign(); err != nil {
		return err
	}
	if err := vfs.MkdirAll(s.fs, s.dir); err != nil {
		return fmt.Errorf("data-dir: %w", err)
	}
	lock, err := s.fs.Lock(path.Join(s.dir, "lock"))
	switch {
	case errors.Is(err, vfs.ErrLocked):
		return fmt.Errorf("data-dir %s: another server is running on it", s.dir)
	case err != nil:
		return fmt.Errorf("data-dir: %w", err)
	}
	s.onClose("lock", lock.Close)
	return nil
}

// refuseForeign refuses a directory that holds something and nothing of ours: a
// file of settings of InfluxDB names InfluxDB's.
func (s *server) refuseForeign() error {
	names, err := s.fs.List(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("data-dir: %w", err)
	}
	for _, ours := range []string{"lock", "clock", "shards"} {
		if slices.Contains(names, ours) {
			return nil
		}
	}
	for _, name := range names {
		if name != "lost+found" && !strings.HasPrefix(name, ".") { // of a new disk
			return fmt.Errorf("data-dir %s: holds %q and nothing of Varve's; it must be a directory of its own", s.dir, name)
		}
	}
	return nil
}
