package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Mem is a file system in memory that knows what a power cut would leave of it.
// Bytes are durable after File.Sync, names after SyncDir of their directory;
// nothing else makes either durable. The directories "/" and "." are the same.
// It is safe for concurrent use.
type Mem struct {
	mu struct {
		sync.Mutex
		root     *node
		pending  []change // of names, since SyncDir of their directories, oldest first
		locks    map[string]bool
		used     uint64
		capacity uint64
	}
}

// NewMem gives an empty file system without a limit.
func NewMem() *Mem {
	m := &Mem{}
	m.mu.root = newDir()
	m.mu.locks = map[string]bool{}
	m.mu.capacity = math.MaxInt64
	return m
}

// SetCapacity limits the sum of the lengths of all files. A write over the
// limit stores what fits and fails with ENOSPC.
func (m *Mem) SetCapacity(bytes uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.capacity = bytes
}

// Used gives the sum of the lengths of all files.
func (m *Mem) Used() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.used
}

// node is a file or a directory; names lead to it.
type node struct {
	// A directory's names as they are and as a power cut would leave them if
	// it took every pending change with it. Both nil for a file.
	names, durable map[string]*node

	// A file's bytes as they are and as they were when last synced. Stored
	// bytes are never changed in place, so the two share memory, and share it
	// with clones and mappings.
	data, synced []byte
	clean        int    // data[:clean] equals synced[:clean]
	lost         []span // parts of data that no later Sync makes durable
	unlinked     bool   // has no name; its bytes count no longer
}

type span struct{ from, to int }

// change is one atomic change of names: a creation, a removal or a rename.
type change struct {
	node             *node // what is created, removed or renamed
	fromDir, toDir   *node // nil: not removed from, not entered into
	fromName, toName string
}

func newDir() *node { return &node{names: map[string]*node{}, durable: map[string]*node{}} }

func (n *node) isDir() bool { return n.names != nil }

func (c *change) touches(dir *node) bool { return c.fromDir == dir || c.toDir == dir }

// apply makes the change in one of the two sets of names.
func (c *change) apply(names func(dir *node) map[string]*node) {
	if c.fromDir != nil {
		if from := names(c.fromDir); from[c.fromName] == c.node {
			delete(from, c.fromName)
		}
	}
	if c.toDir != nil {
		names(c.toDir)[c.toName] = c.node
	}
}

func currentNames(dir *node) map[string]*node { return dir.names }
func durableNames(dir *node) map[string]*node { return dir.durable }

func (m *Mem) changeLocked(c change) {
	c.apply(currentNames)
	m.mu.pending = append(m.mu.pending, c)
}

// split gives the elements of a name.
func split(name string) []string {
	clean := strings.TrimPrefix(path.Clean("/"+name), "/")
	if clean == "" {
		return nil
	}
	return strings.Split(clean, "/")
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// findLocked gives the node that name leads to.
func (m *Mem) findLocked(op, name string) (*node, error) {
	n := m.mu.root
	for _, elem := range split(name) {
		if n = n.names[elem]; n == nil {
			return nil, pathError(op, name, fs.ErrNotExist)
		}
	}
	return n, nil
}

// parentLocked gives the directory that holds name, and name's last element.
func (m *Mem) parentLocked(op, name string) (dir *node, base string, err error) {
	elems := split(name)
	if len(elems) == 0 {
		return nil, "", pathError(op, name, fs.ErrInvalid)
	}
	dir = m.mu.root
	for _, elem := range elems[:len(elems)-1] {
		if dir = dir.names[elem]; dir == nil {
			return nil, "", pathError(op, name, fs.ErrNotExist)
		}
	}
	if !dir.isDir() {
		return nil, "", pathError(op, name, syscall.ENOTDIR)
	}
	return dir, elems[len(elems)-1], nil
}

// Create implements FS.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parentLocked("create", name)
	if err != nil {
		return nil, err
	}
	n := dir.names[base]
	switch {
	case n == nil:
		n = &node{}
		m.changeLocked(change{node: n, toDir: dir, toName: base})
	case n.isDir():
		return nil, pathError("create", name, syscall.EISDIR)
	default:
		m.truncateLocked(n, 0)
	}
	return &memFile{mem: m, node: n, name: name, write: true}, nil
}

// Open implements FS.
func (m *Mem) Open(name string) (File, error) { return m.open(name, false) }

// OpenAppend implements FS.
func (m *Mem) OpenAppend(name string) (File, error) { return m.open(name, true) }

func (m *Mem) open(name string, write bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.findLocked("open", name)
	if err != nil {
		return nil, err
	}
	if n.isDir() {
		return nil, pathError("open", name, syscall.EISDIR)
	}
	return &memFile{mem: m, node: n, name: name, write: write}, nil
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parentLocked("remove", name)
	if err != nil {
		return err
	}
	n := dir.names[base]
	switch {
	case n == nil:
		return pathError("remove", name, fs.ErrNotExist)
	case len(n.names) > 0:
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	m.removeLocked(dir, base)
	return nil
}

// removeLocked removes a name and all below it, deepest first, each on its own:
// a power cut may come between any two.
func (m *Mem) removeLocked(dir *node, base string) {
	n := dir.names[base]
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		m.removeLocked(n, name)
	}
	m.changeLocked(change{node: n, fromDir: dir, fromName: base})
	m.unlinkLocked(n)
}

func (m *Mem) unlinkLocked(n *node) {
	n.unlinked = true
	m.mu.used -= uint64(len(n.data))
}

// RemoveAll implements FS.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parentLocked("remove", name)
	if err == nil && dir.names[base] != nil {
		m.removeLocked(dir, base)
	}
	return nil
}

// Rename implements FS.
func (m *Mem) Rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, fromName, err := m.parentLocked("rename", oldname)
	if err != nil {
		return err
	}
	to, toName, err := m.parentLocked("rename", newname)
	if err != nil {
		return err
	}
	n, old := from.names[fromName], to.names[toName]
	switch {
	case n == nil:
		return pathError("rename", oldname, fs.ErrNotExist)
	case old == n:
		return nil
	case n.isDir() && slices.Contains(append(m.ancestorsLocked(newname), to), n):
		return pathError("rename", newname, fs.ErrInvalid)
	case old != nil && (n.isDir() || old.isDir()):
		return pathError("rename", newname, fs.ErrExist)
	case old != nil:
		m.unlinkLocked(old)
	}
	m.changeLocked(change{node: n, fromDir: from, fromName: fromName, toDir: to, toName: toName})
	return nil
}

// ancestorsLocked gives the directories that lead to name.
func (m *Mem) ancestorsLocked(name string) []*node {
	elems := split(name)
	dirs := []*node{m.mu.root}
	for _, elem := range elems[:len(elems)-1] {
		dirs = append(dirs, dirs[len(dirs)-1].names[elem])
	}
	return dirs
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.mu.root
	for _, elem := range split(dir) {
		if n.names[elem] == nil {
			m.changeLocked(change{node: newDir(), toDir: n, toName: elem})
		}
		if n = n.names[elem]; !n.isDir() {
			return pathError("mkdir", dir, syscall.ENOTDIR)
		}
	}
	return nil
}

// List implements FS.
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.findLocked("list", dir)
	if err != nil {
		return nil, err
	}
	if !n.isDir() {
		return nil, pathError("list", dir, syscall.ENOTDIR)
	}
	return slices.Sorted(maps.Keys(n.names)), nil
}

// Size implements FS.
func (m *Mem) Size(name string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.findLocked("size", name)
	if err != nil {
		return 0, err
	}
	return int64(len(n.data)), nil
}

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.findLocked("sync", dir)
	if err != nil {
		return err
	}
	if !n.isDir() {
		return pathError("sync", dir, syscall.ENOTDIR)
	}
	var later []change
	for _, c := range m.mu.pending {
		if c.touches(n) {
			c.apply(durableNames)
		} else {
			later = append(later, c)
		}
	}
	m.mu.pending = later
	return nil
}

// Lock implements FS. A lock is one of this Mem, not of its clones: their
// holder died in the crash.
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.openLock(name)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name = path.Clean("/" + name)
	if m.mu.locks[name] {
		return nil, fmt.Errorf("lock %s: %w", name, ErrLocked)
	}
	m.mu.locks[name] = true
	return &memLock{mem: m, name: name, file: f}, nil
}

func (m *Mem) openLock(name string) (File, error) {
	if f, err := m.OpenAppend(name); err == nil {
		return f, nil
	}
	return m.Create(name)
}

type memLock struct {
	mem  *Mem
	name string
	file File
	once sync.Once
}

func (l *memLock) Close() error {
	err := fs.ErrClosed
	l.once.Do(func() {
		l.mem.mu.Lock()
		delete(l.mem.mu.locks, l.name)
		l.mem.mu.Unlock()
		err = l.file.Close()
	})
	return err
}

// Free implements FS.
func (m *Mem) Free(string) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.freeLocked(), nil
}

func (m *Mem) freeLocked() uint64 {
	if m.mu.used >= m.mu.capacity {
		return 0
	}
	return m.mu.capacity - m.mu.used
}
