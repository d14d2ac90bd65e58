package data

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

const (
	// copySuffix marks a directory in which the copy of a shard is built.
	copySuffix = ".copy"
	// joiningSuffix marks a file that says that the shard beside it is a copy
	// which has been nothing but a joining replica so far: nothing is in it that
	// did not come from the other owners. Without it what is there is older than
	// the joining, and may hold what nobody else has.
	joiningSuffix = ".joining"
	// asideSuffix marks a directory that was a replica and could not be handed
	// over to the other owners whole. It is for people; a later one replaces it.
	asideSuffix = ".aside"
)

// adopt makes the directory with a finished copy that of a shard which has none.
// The mark goes first: a copy without it would not be known for one.
func (s *shards) adopt(id uint64) error {
	h, err := s.claim(id)
	if err != nil {
		return fmt.Errorf("adopt copy of shard %d: %w", id, err)
	}
	defer s.release(h)
	h.lock.Lock()
	defer h.lock.Unlock()
	if _, err = s.vfs.List(s.path(id)); err == nil {
		return fmt.Errorf("adopt copy of shard %d: there is a directory already: %w", id, model.ErrConflict)
	}
	if err = s.mark(id); err == nil {
		err = s.vfs.Rename(s.path(id)+copySuffix, s.path(id))
	}
	if err == nil {
		err = s.vfs.SyncDir(s.dir)
	}
	if err != nil {
		s.mu.Lock()
		delete(s.mu.byID, id) // there is no directory
		s.mu.Unlock()
		return fmt.Errorf("adopt copy of shard %d: %w", id, err)
	}
	h.err = nil
	return nil
}

// mark notes that what a shard holds is nothing but a copy.
func (s *shards) mark(id uint64) error {
	return vfs.WriteFile(s.vfs, s.path(id)+joiningSuffix, []byte(joiningText))
}

const joiningText = "varve joining 1\n"

// marked reports whether a shard is nothing but a copy. When in doubt it is not.
func (s *shards) marked(id uint64) bool {
	b, err := vfs.ReadFile(s.vfs, s.path(id)+joiningSuffix, 1<<10)
	return err == nil && string(b) == joiningText
}

// unmark takes the mark away, if there is one.
func (s *shards) unmark(id uint64) error {
	err := s.vfs.Remove(s.path(id) + joiningSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = s.vfs.SyncDir(s.dir)
	}
	return err
}

// onDisk reports whether a shard has a directory.
func (s *shards) onDisk(id uint64) (bool, error) {
	names, err := s.vfs.List(s.dir)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if name == shardName(id) {
			return true, nil
		}
	}
	return false, nil
}

// removeCopies removes what is left of copies that are not wanted any more.
func (s *shards) removeCopies(wanted func(id uint64) bool) error {
	names, err := s.vfs.List(s.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		number, ok := strings.CutSuffix(name, copySuffix)
		id, err := strconv.ParseUint(number, 10, 64)
		if !ok || err != nil || number != shardName(id) || wanted(id) {
			continue
		}
		errs = append(errs, s.vfs.RemoveAll(path.Join(s.dir, name)))
	}
	return errors.Join(errs...)
}
